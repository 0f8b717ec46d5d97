/*
 * A trial is one scenario on one server: a baseline, rounds of calls, a sample after
 * each, and the blame for what grew.
 */
#ifndef LEAKCHECK_JUDGE_TRIAL_H
#define LEAKCHECK_JUDGE_TRIAL_H

#include "leakcheck/judge/blame.h"
#include "leakcheck/judge/fit.h"
#include "leakcheck/measure/sample.h"

/* What the C library keeps of a thread that has ended, to start the next one faster:
 * heap that comes with as many threads as ever lived at once, and no leak. */
#define THREAD_COST_BYTES 400

enum role { ROLE_LEAKY, ROLE_FIXED };

/* How to drive, and what is known of the server from before. */
struct trial_plan {
    enum role role;    /* what is waited for: the leak to appear, or the work to end */
    unsigned rounds;   /* 1 to ROUNDS_MAX */
    unsigned calls;    /* a round; fewer where a guard rail is near */
    unsigned dwell_ms; /* 0, or how long the growth must stay to count */
    struct resources limits;         /* the server's guard rails */
    const struct profile *idle_from; /* two profiles of the idle server, or NULL */
    const struct profile *idle_to;
};

/* Lives in memory that the caller owns; { 0 } is a trial that was not made. */
struct trial {
    const struct scenario_info *info;
    struct sample *samples; /* the baseline, then one a round */
    size_t sample_count;
    unsigned calls;            /* a round */
    int64_t bytes;             /* the parameter; UNKNOWN: not given */
    struct resources declared; /* one call's, by the server's own replies */
    struct fit fits[RESOURCE_COUNT];
    struct blame heap;       /* churn: what was allocated; else what stayed */
    struct blame wait;       /* where stuck threads wait; growth 0 where not known */
    double heap_per_call;    /* growth of the blamed file's own allocations, bytes */
    double library_per_call; /* and of what libraries took to serve it */
    double rate;             /* bytes per second and thread, where threads allocate */
};

/* Makes the trial. Returns 0, or -errno: no verdict is possible then. `ret_trial` is
 * the caller's to release, set on success only. */
int trial_run(struct server *server, const struct scenario_info *info,
              const struct trial_plan *plan, struct trial *ret_trial,
              struct failure *failure);

void trial_release(struct trial *trial);

/* What counts as the scenario's own code: its own file, and not the lab's modules. */
struct blame_own trial_own(const struct trial *trial, enum role role);

/* How much the heap in use grew per call, in bytes: the slope of the totals, or, where
 * other threads allocate all the time, what the stacks grew that are not theirs. */
double trial_heap_growth(const struct trial *trial);

/* The most that a temporary scenario held in any round, and the least; UNKNOWN if it
 * isn't one. */
int64_t trial_peak_most(const struct trial *trial, enum resource resource);
int64_t trial_peak_least(const struct trial *trial, enum resource resource);

#endif
