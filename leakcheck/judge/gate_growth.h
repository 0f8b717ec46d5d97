/*
 * How the gate judges growth over the rounds: what is a leak, what is not, and what
 * leaves the question open.
 */
#ifndef LEAKCHECK_JUDGE_GATE_GROWTH_H
#define LEAKCHECK_JUDGE_GATE_GROWTH_H

#include "leakcheck/judge/gate_findings.h"

/* Whether every sample has an amount of it. */
bool gate_is_counted(const struct gate *gate, enum resource resource);

/* Judges each resource by the samples so far; may be called again with more. */
void gate_judge(struct gate *gate);

/* Whether more rounds can answer what these left open. */
bool gate_is_unclear(const struct gate *gate);

/* Once all rounds are driven: returns 0, or -EPROTO if a growth is still open. */
int gate_check_clarity(const struct gate *gate, struct failure *failure);

#endif
