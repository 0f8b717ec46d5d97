/*
 * How the gate judges growth over the rounds: a leak, no leak, or open.
 */
#ifndef LEAKCHECK_JUDGE_GATE_GROWTH_H
#define LEAKCHECK_JUDGE_GATE_GROWTH_H

#include "leakcheck/judge/gate_findings.h"

/* Whether every sample has an amount of the resource. */
bool gate_is_counted(const struct gate *gate, enum resource resource);

/* Judges each resource by the samples so far. May be called again after more rounds. */
void gate_judge(struct gate *gate);

/* How many more rounds the verdict needs; 0: none, or more would not help. Growth that
 * paused needs as many rounds again. Growth of the resident set or the mappings alone,
 * which is normal while a server warms up, needs enough for a test of its trend. */
size_t gate_rounds_missing(const struct gate *gate);

/* How many rounds there are at most if the user asked for so many. */
size_t gate_rounds_most(size_t rounds);

/* Called after all rounds. Returns 0, or -EPROTO if a resource is still open and
 * nothing else leaks. */
int gate_check_clarity(const struct gate *gate, struct failure *failure);

/* Called after all checks: what is still open, and does not prevent a verdict, becomes
 * a resource that is not measured. */
void gate_drop_unclear(struct gate *gate);

#endif
