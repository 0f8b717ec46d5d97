/*
 * The judge of pairs: every scenario on the leaky and on the fixed server, both at the
 * same time, one thread for each.
 */
#ifndef LEAKCHECK_JUDGE_JUDGE_H
#define LEAKCHECK_JUDGE_JUDGE_H

#include <stdatomic.h>

#include "leakcheck/judge/verdict.h"

/* How far it is, for another thread to watch; all 0 before the first call. */
struct judge_progress {
    atomic_uint planned; /* scenarios on each server; 0: it is still finding out */
    atomic_uint done[2]; /* scenarios judged, by role */
};

/* What to judge. */
struct judge_order {
    const char *urls[2];          /* leaky, fixed */
    const char *const *scenarios; /* names, NULL for all */
    size_t scenario_count;
    unsigned rounds;
    unsigned calls;
    unsigned timeout_secs;           /* of the whole run */
    struct judge_progress *progress; /* the caller's; NULL: nobody watches */
};

/* One server and all its trials, in the order of /scenarios. */
struct side {
    enum role role;
    struct server server;
    struct arena arena;
    struct scenario_info *list;
    size_t count;
    bool *chosen;         /* which of them to judge */
    struct trial *trials; /* not chosen: { 0 } */
    struct finding *findings;
    struct profile heap;      /* in the end, with names */
    struct profile idle_from; /* what the idle server does by itself */
    struct profile idle_to;
    struct resources limits;
    int error;
    struct failure failure;
};

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
