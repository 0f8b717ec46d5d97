/*
 * The gate: does one path of one server leak, and where? For a server of any make that
 * serves gperftools' or Go's heap profile.
 */
#ifndef LEAKCHECK_GATE_H
#define LEAKCHECK_GATE_H

#include "options.h"
#include "verdict.h"

/* What was measured. Lives in memory that the caller owns; { 0 } is empty. */
struct gate {
    struct server server;
    struct sample *samples; /* the baseline, then one a round */
    size_t sample_count;
    unsigned calls;
    struct fit heap;
    struct fit threads;
    bool counts_threads;   /* the server says how many there are */
    bool late;             /* a round ended with things where they were not before */
    double total_per_call; /* bytes that the blamed file allocates in a call */
    struct blame heap_blame;
    struct blame wait_blame;
    enum picture picture;
    bool over_growth; /* over the limits of the options */
    bool over_threads;
    int64_t elapsed_ms;
};

/* Drives and measures. Returns 0, or -errno if there can be no verdict. In both cases
 * `gate` is the caller's to release. */
int gate_run(struct gate *gate, const struct options *options, struct failure *failure);

void gate_release(struct gate *gate);

#endif
