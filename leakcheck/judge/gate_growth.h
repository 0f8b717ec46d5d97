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

/* How many more rounds the verdict needs; 0: none. Two cases need some: growth that
 * paused, and growth of the resident set alone, which is normal while a server warms
 * up. At most TREND_ROUNDS_MIN rounds in all, or twice those so far. */
size_t gate_rounds_missing(const struct gate *gate);

/* Called after all rounds. Returns 0, or -EPROTO if a resource is still open and
 * nothing else leaks. */
int gate_check_clarity(const struct gate *gate, struct failure *failure);

/* Called after all checks: what is still open, and does not prevent a verdict, becomes
 * a resource that is not measured. */
void gate_drop_unclear(struct gate *gate);

#endif
