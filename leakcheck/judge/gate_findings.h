/*
 * What the gate measured and found of each resource.
 */
#ifndef LEAKCHECK_JUDGE_GATE_FINDINGS_H
#define LEAKCHECK_JUDGE_GATE_FINDINGS_H

#include "leakcheck/judge/blame.h"
#include "leakcheck/judge/fit.h"
#include "leakcheck/judge/picture.h"
#include "leakcheck/measure/sample.h"

/* How much of a resource one call may leave behind. */
struct limit {
    int64_t most; /* bytes, or a count */
    bool asked;   /* the user set it: then it must be measured */
};

/* One resource over all rounds. */
struct gate_resource {
    bool measured; /* in every sample, and finely enough for the limit; if not, only
                      `limit` is valid */
    bool over;     /* grows by more than the limit, and goes on */
    struct limit limit;
    struct fit fit;
    struct blame blame; /* growth 0: no profile tells who made it */
};

/* What is judged, in the order in which it is shown. */
extern const enum resource gate_judged[];
extern const size_t gate_judged_count;

/* What was measured. Lives in memory that the caller owns; { 0 } is empty. */
struct gate {
    struct server server;
    struct sample *samples; /* the baseline, then one a round */
    size_t sample_count;
    struct resources idle; /* before any call */
    size_t rounds_first;   /* rounds before the verdict was first asked for */
    unsigned calls;        /* a round */
    int64_t heap_period;   /* bytes between two samples of the heap; 1: it counts all */
    char heap_reason[200]; /* why the heap is not measured; "" where it is */
    struct gate_resource resources[RESOURCE_COUNT];
    bool late;               /* after a round, not all came back to the baseline */
    bool counts_allocations; /* the profile also counts what was freed */
    double total_per_call;   /* bytes that the blamed file allocates in a call; of all
                                stacks where none is blamed */
    enum picture picture;
    const char *own_missed; /* of --own, the first that no stack meets; NULL if none */
    int64_t elapsed_ms;
};

/* Whether anything measured is over its limit. */
bool gate_is_over(const struct gate *gate);

/* "heap, threads": the names of those that are measured and not over (`over` false) or
 * over; or of those that are not measured. Empty if there are none. */
struct gate_names {
    char at[120];
};
struct gate_names gate_names_measured(const struct gate *gate, bool over);
struct gate_names gate_names_missing(const struct gate *gate);

/* Why a resource is not measured. */
const char *gate_missing_reason(const struct gate *gate, enum resource resource);

#endif
