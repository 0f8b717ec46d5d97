/*
 * A sample is how much of each resource the server holds at one time.
 */
#ifndef LEAKCHECK_MEASURE_SAMPLE_H
#define LEAKCHECK_MEASURE_SAMPLE_H

#include "leakcheck/measure/server.h"

struct sample {
    int64_t at_ms;         /* clock_now_ms */
    int64_t calls;         /* calls made since the baseline */
    struct resources now;  /* UNKNOWN if not measured */
    struct resources peak; /* temporary scenarios: the most during the call, minus the
                              amount before it; otherwise UNKNOWN */
    bool heap_grows_alone; /* leaked threads that allocate are alive */
};

/* Samples everything. `ret_profile` (may be NULL) gets the heap profile, which the
 * caller releases; `named`: with functions, files and lines. Returns 0 or -errno. */
int sample_take(struct server *server, struct sample *ret_sample, bool named,
                struct profile *ret_profile, struct failure *failure);

/* Takes a cheap sample, to see whether anything changes: for the lab's servers only
 * /status, with the allocator's count of the heap; for other servers everything.
 * Returns 0 or -errno. */
int sample_take_quick(struct server *server, struct sample *ret_sample,
                      struct failure *failure);

#endif
