/*
 * A trial is one scenario on one server: a baseline, rounds of calls with a sample
 * after each, and the blame for what grew.
 */
#ifndef LEAKCHECK_JUDGE_TRIAL_H
#define LEAKCHECK_JUDGE_TRIAL_H

#include "leakcheck/judge/blame.h"
#include "leakcheck/judge/fit.h"
#include "leakcheck/judge/held.h"
#include "leakcheck/judge/made.h"
#include "leakcheck/judge/proof.h"
#include "leakcheck/measure/sample.h"

/* Heap that the C library keeps after a thread has ended, for the next thread. It grows
 * with the most threads that ever lived at once, and is not a leak. */
#define THREAD_COST_BYTES 400

enum role { ROLE_LEAKY, ROLE_FIXED };

/* What was known of a server before a trial. A trial that asks again keeps the newer
 * profiles here. { 0 } is empty. */
struct trial_known {
    struct made_base made;
    struct proof_base proof;
};

/* How to make the calls, and what is known about the server. */
struct trial_plan {
    enum role role;     /* leaky: wait until the leak appears; fixed: until the work
                           ends */
    unsigned rounds;    /* 1 to ROUNDS_MAX */
    unsigned calls;     /* calls in a round; fewer if a guard rail is near */
    bool may_end_early; /* a temporary scenario's call that is not held is no failure:
                           nothing is known of its peak */
    unsigned dwell_ms;  /* how long growth must stay to count; 0: not checked */
    struct resources limits;         /* the server's guard rails */
    const struct profile *idle_from; /* two profiles of the idle server, or NULL */
    const struct profile *idle_to;
    struct trial_known *known; /* owned by the caller */
};

/* Lives in memory that the caller owns; { 0 } is a trial that was not made. */
struct trial {
    const struct scenario_info *info;
    struct sample *samples; /* the baseline, then one a round */
    size_t sample_count;
    unsigned calls;                /* calls in a round */
    int64_t bytes;                 /* the parameter `bytes`; UNKNOWN: not sent */
    struct resources declared;     /* of one call, from the server's replies */
    bool measured[RESOURCE_COUNT]; /* in every sample; if not, its fit is { 0 } */
    struct fit fits[RESOURCE_COUNT];
    struct blame heap; /* churn: of allocated bytes; else of bytes that stayed */
    struct held_places places; /* where the heap's blame was allocated */
    struct held held;          /* who holds that: set by the caller of trial_run */
    struct blame wait;         /* where stuck threads wait; growth 0: not known */
    struct proof proof;        /* why they never go on */
    struct blame made[RESOURCE_COUNT]; /* who made what grew, or what a temporary
                                          scenario held; growth 0: not known */
    double heap_per_call;    /* bytes that the blamed file itself allocated and kept */
    double library_per_call; /* bytes that libraries allocated for it and kept */
    double rate;             /* leaky: bytes per second and thread, if threads
                                allocate */
};

/* Makes the trial. Returns 0, or -errno if no verdict is possible. `ret_trial` is set
 * only on success; the caller then calls trial_release. */
int trial_run(struct server *server, const struct scenario_info *info,
              const struct trial_plan *plan, struct trial *ret_trial,
              struct failure *failure);

/* Frees the samples and the places. */
void trial_release(struct trial *trial);

/* The paths of the scenario's own code: its source file, and no other file of the lab.
 * A half that is judged alone may be built from either file of its list. */
struct blame_own trial_own(const struct trial *trial, enum role role);

/* How many bytes the heap in use grew per call: the slope of the totals. If other
 * threads allocate all the time: the growth of the stacks that are not theirs. */
double trial_heap_growth(const struct trial *trial);

/* The most and the least that a temporary scenario held in any round; UNKNOWN for other
 * scenarios. */
int64_t trial_peak_most(const struct trial *trial, enum resource resource);
int64_t trial_peak_least(const struct trial *trial, enum resource resource);

#endif
