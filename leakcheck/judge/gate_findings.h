/*
 * What the gate measured and decided for each resource.
 */
#ifndef LEAKCHECK_JUDGE_GATE_FINDINGS_H
#define LEAKCHECK_JUDGE_GATE_FINDINGS_H

#include <stdatomic.h>

#include "leakcheck/judge/blame.h"
#include "leakcheck/judge/fit.h"
#include "leakcheck/judge/held.h"
#include "leakcheck/judge/made.h"
#include "leakcheck/judge/picture.h"
#include "leakcheck/judge/proof.h"
#include "leakcheck/judge/trend.h"
#include "leakcheck/measure/caller.h"
#include "leakcheck/measure/program.h"
#include "leakcheck/measure/sample.h"

/* How much of a resource one call may leave behind. */
struct limit {
    int64_t most; /* bytes, or a count */
    bool asked;   /* set by the user: the resource must then be measured */
};

/* One resource over all rounds. */
struct gate_resource {
    bool measured; /* in every sample, and precisely enough for the limit; if false,
                      only `limit` is valid */
    bool over;     /* grows by more than the limit, and does not stop */
    bool unclear;  /* by trend: neither growth nor its absence is proved */
    struct limit limit;
    bool by_trend;      /* so many rounds that it is judged as a trend */
    struct fit fit;     /* by trend: the slope is Theil and Sen's */
    struct trend trend; /* only if by_trend */
    struct blame blame; /* the cause: of the heap who allocated, of threads where they
                           wait, of others who made them; growth 0: no profile shows
                           it */
    struct blame made;  /* threads: who started them; growth 0: not known */
};

/* The resources that are judged, in the order in which they are shown. */
extern const enum resource gate_judged[];
extern const size_t gate_judged_count;

/* How far the rounds are, for another thread to read; all 0 before the first. */
struct gate_progress {
    atomic_uint planned;
    atomic_uint done;
};

/* What was measured. Lives in memory that the caller owns; { 0 } is empty. */
struct gate {
    struct server server;
    struct caller caller;
    struct program program;
    struct gate_progress *progress; /* owned by the caller; NULL: not needed */
    struct sample *samples;         /* the baseline, then one for each round */
    size_t sample_count;
    struct resources idle; /* before any call */
    size_t rounds_first;   /* rounds that the user asked for; more may follow */
    bool trends;           /* the user asked for so many rounds that every resource is
                              judged by its trend */
    unsigned calls;        /* a round */
    int64_t heap_period;   /* mean bytes between two heap samples; 1: every
                              allocation */
    char heap_reason[200]; /* why the heap is not measured; "" if it is */
    struct gate_resource resources[RESOURCE_COUNT];
    struct held held;        /* who holds what the heap's blame is for */
    struct proof proof;      /* why the threads that grew never go on */
    bool late;               /* after some round, not everything returned to the
                                baseline */
    bool counts_allocations; /* the profile also counts freed allocations */
    double total_per_call;   /* bytes that the blamed file allocates in a call; without
                                a blamed file: all stacks */
    enum picture picture;
    const char *own_missed; /* the first path of --own that is on no stack; NULL:
                               none */
    int64_t elapsed_ms;
};

/* Whether anything measured is over its limit. */
bool gate_is_over(const struct gate *gate);

/* Names such as "heap, threads"; "" if there are none. gate_names_measured: the
 * measured resources that are over their limit (`over`), or that are not.
 * gate_names_missing: the resources that are not measured. */
struct gate_names {
    char at[120];
};
struct gate_names gate_names_measured(const struct gate *gate, bool over);
struct gate_names gate_names_missing(const struct gate *gate);

/* Why a resource is not measured. */
const char *gate_missing_reason(const struct gate *gate, enum resource resource);

#endif
