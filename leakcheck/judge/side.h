/*
 * One side of the pair of servers: the leaky or the fixed one, with every trial made on
 * it and what each comes to.
 */
#ifndef LEAKCHECK_JUDGE_SIDE_H
#define LEAKCHECK_JUDGE_SIDE_H

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

/* One server and all its trials, in the order of /scenarios. Lives in memory that the
 * caller owns; { 0 } is empty. */
struct side {
    enum role role;
    const struct judge_order *order;
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
    int64_t last_call_ms; /* when the last call was over at the latest */
    atomic_bool *stop;    /* the other side failed: this one need not go on */
    int error;            /* -ECANCELED: it was stopped */
    struct failure failure;
};

/* Connects, and finds the scenarios to judge. `order` stays the caller's while the side
 * is in use. Returns 0 or -errno; in both cases the side is the caller's to release. */
int side_open(struct side *side, enum role role, const struct judge_order *order,
              int64_t deadline_ms, struct failure *failure);

/* Makes all trials; the result is in `error` and `failure`. A failure sets *stop, and
 * when *stop is set no new trial begins. */
void side_judge(struct side *side, atomic_bool *stop);

void side_release(struct side *side);

#endif
