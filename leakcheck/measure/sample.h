/*
 * A sample is how much of each resource the server holds at one moment.
 */
#ifndef LEAKCHECK_MEASURE_SAMPLE_H
#define LEAKCHECK_MEASURE_SAMPLE_H

#include "leakcheck/measure/server.h"

struct sample {
    int64_t at_ms;         /* clock_now_ms */
    int64_t calls;         /* driven since the baseline */
    struct resources now;  /* UNKNOWN where the server doesn't say */
    struct resources peak; /* temporary scenarios: the most during the call, above what
                              was there before it; else UNKNOWN */
    bool heap_grows_alone; /* threads that allocate by themselves are alive */
};

/* Samples everything. `ret_profile` (may be NULL) gets the heap profile, the caller's
 * to release; `named` asks for it with functions, files and lines. */
int sample_take(struct server *server, struct sample *ret_sample, bool named,
                struct profile *ret_profile, struct failure *failure);

/* Samples what can be had cheaply: of the lab's servers /status alone, with the heap as
 * their allocator counts it, which is fit to see whether it moves; of others, all. */
int sample_take_quick(struct server *server, struct sample *ret_sample,
                      struct failure *failure);

#endif
