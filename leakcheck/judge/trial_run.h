/*
 * A trial while it runs: for the files that make it, judge/trial.c and
 * judge/trial_blame.c.
 */
#ifndef LEAKCHECK_JUDGE_TRIAL_RUN_H
#define LEAKCHECK_JUDGE_TRIAL_RUN_H

#include "leakcheck/judge/trial.h"

/* What a trial needs while it runs. Lives in memory that the caller owns. */
struct trial_run {
    struct server *server;
    const struct trial_plan *plan;
    struct trial *trial;
    struct failure *failure;
    struct http own; /* temporary scenarios: the connection for held calls */
    struct profile heap_base;
    struct profile heap_last;
    struct profile heap_names; /* owns the names of heap_last */
    struct profile threads_base;
    struct profile threads_last;
    bool late; /* a round ended outside of its rule */
};

/* Takes the profiles of threads, and of who made what the scenario is to leave: those
 * to compare with. They come before the settling, because taking them is work, too.
 * Returns 0 or -errno. */
int trial_bases_take(struct trial_run *run);

/* Finds out which code made what grew, or what a temporary scenario held. Returns 0 or
 * -errno. */
int trial_blame(struct trial_run *run);

/* Measures how fast the threads that this scenario left make the heap grow. Returns 0
 * or -errno. */
int trial_rate(struct trial_run *run);

/* Closes the connection and frees the profiles. */
void trial_run_release(struct trial_run *run);

#endif
