/*
 * The judge of pairs: every scenario on the leaky and on the fixed server. Both servers
 * are measured at the same time, each by its own thread.
 */
#ifndef LEAKCHECK_JUDGE_PAIR_H
#define LEAKCHECK_JUDGE_PAIR_H

#include "leakcheck/judge/side.h"

/* Both servers. Lives in memory that the caller owns; { 0 } is empty. */
struct judgement {
    struct judge_order order;
    struct side sides[2]; /* by role */
    atomic_bool stop;     /* one side failed, so the other stops too */
    int64_t elapsed_ms;
};

/* Judges. Returns 0, or -errno if no verdict is possible. In both cases the caller
 * calls judge_release. */
int judge_run(struct judgement *judgement, const struct judge_order *order,
              struct failure *failure);

/* What the answers of both halves of one scenario come to. */
struct answers_finding judge_answers(const struct judgement *judgement, size_t index);

/* How many scenarios were judged, how many leaks were shown, how many fixes hold, leak
 * and were not measured, and how many answers were wrong. */
struct judge_summary {
    size_t judged;
    size_t shown;
    size_t holding;
    size_t alarms;
    size_t unmeasured;
    size_t answers[ANSWERS_WRONG + 1]; /* scenarios, by enum answers_result */
    bool good;                         /* all is as it should be */
    bool bad; /* something is not; with neither, something is not measured */
};
struct judge_summary judge_summarize(const struct judgement *judgement);

/* Closes both connections and frees everything that the judgement owns. */
void judge_release(struct judgement *judgement);

#endif
