/*
 * How one side begins: the first calls of each scenario, and the profiles to compare
 * with.
 */
#ifndef LEAKCHECK_JUDGE_SIDE_START_H
#define LEAKCHECK_JUDGE_SIDE_START_H

#include "leakcheck/judge/side.h"

/* Runs every chosen scenario whose threads do not allocate once, and takes each profile
 * once: for them the server loads symbols. Returns 0 or -errno, as all functions
 * here. */
int side_warm_up(struct side *side);

/* Takes the profiles to compare with: who holds what, who made what, and two of the
 * heap of the idle server. */
int side_bases_take(struct side *side);

/* Makes the first calls of each chosen scenario, of those that come late or of the
 * others: they ask for the answers or, if there is no other half to compare them with,
 * are one call without more. -ECANCELED: the other side has failed. */
int side_first_calls(struct side *side, bool late);

/* Whether the scenario's threads go on allocating. Its calls come after all others,
 * which they would disturb. */
bool side_is_late(const struct side *side, size_t index);

/* Waits for the end of what the calls began, as long as for the fixed half of a pair.
 */
int side_leftover_await(struct side *side);

#endif
