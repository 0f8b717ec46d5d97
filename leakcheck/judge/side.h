/*
 * One side of the pair, the leaky or the fixed server, with all its trials and their
 * results.
 */
#ifndef LEAKCHECK_JUDGE_SIDE_H
#define LEAKCHECK_JUDGE_SIDE_H

#include <stdatomic.h>

#include "leakcheck/judge/answers.h"
#include "leakcheck/judge/verdict.h"
#include "leakcheck/measure/settle.h"

/* The progress, for another thread to read; all 0 before the first call. */
struct judge_progress {
    atomic_uint planned; /* scenarios on each server; 0: not known yet */
    atomic_uint done[2]; /* scenarios judged, by role */
};

/* What to judge. */
struct judge_order {
    const char *urls[2];          /* leaky, fixed */
    bool alone;                   /* only the fixed one, without the other half */
    const char *const *scenarios; /* names, NULL for all */
    size_t scenario_count;
    unsigned rounds;
    unsigned calls;
    unsigned timeout_secs;           /* of the whole run */
    struct judge_progress *progress; /* owned by the caller; NULL: not needed */
};

/* One server and all its trials, in the order of /scenarios. Lives in memory that the
 * caller owns; { 0 } is empty. */
struct side {
    enum role role;
    const struct judge_order *order;
    struct server server;
    struct arena arena;
    struct scenario_info *list;
    size_t count;
    bool *chosen;         /* which scenarios to judge */
    struct trial *trials; /* { 0 } if not chosen */
    struct finding *findings;
    struct answers *answers;  /* not asked if the side is judged alone */
    struct profile heap;      /* taken at the end, with names */
    struct profile idle_from; /* two profiles of the idle server */
    struct profile idle_to;
    struct trial_known known;
    struct profile retained; /* who holds what, before the trials; { 0 }: not there */
    struct resources limits;
    struct settle_rule before; /* fulfilled when what the first calls began is over */
    bool leftover;             /* it was not when the trials began */
    int64_t last_call_ms;      /* the latest time at which the last call was over */
    atomic_bool *stop;         /* the other side failed, so this one stops */
    int error;                 /* 0 or -errno; -ECANCELED: stopped by the other side */
    struct failure failure;
};

/* Connects and finds the scenarios to judge. The caller owns `order` and keeps it as
 * long as the side. Returns 0 or -errno; in both cases the caller calls
 * side_release. */
int side_open(struct side *side, enum role role, const struct judge_order *order,
              int64_t deadline_ms, struct failure *failure);

/* Makes all trials; the result is in `error` and `failure`. After a failure *stop
 * becomes true. While *stop is true, no new trial begins. */
void side_judge(struct side *side, atomic_bool *stop);

/* Closes the connection and frees everything that the side owns. */
void side_release(struct side *side);

#endif
