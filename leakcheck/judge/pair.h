/*
 * The judge of pairs: every scenario on the leaky and on the fixed server, both at the
 * same time, one thread for each.
 */
#ifndef LEAKCHECK_JUDGE_PAIR_H
#define LEAKCHECK_JUDGE_PAIR_H

#include "leakcheck/judge/side.h"

/* Both servers. Lives in memory that the caller owns; { 0 } is empty. */
struct judgement {
    struct judge_order order;
    struct side sides[2]; /* by role */
    atomic_bool stop;     /* one side failed: the other need not go on */
    int64_t elapsed_ms;
};

/* Judges. Returns 0, or -errno if there can be no verdict. In both cases `judgement`
 * is the caller's to release. */
int judge_run(struct judgement *judgement, const struct judge_order *order,
              struct failure *failure);

/* How many scenarios were judged, how many leaks shown, and how many fixes failed. */
struct judge_summary {
    size_t judged;
    size_t shown;
    size_t alarms;
};
struct judge_summary judge_summarize(const struct judgement *judgement);

void judge_release(struct judgement *judgement);

#endif
