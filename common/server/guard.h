/*
 * The guard rails: ceilings for heap, threads, descriptors and timers. The leaky server
 * can be told to leak without end and must never harm its machine. So before a request
 * runs, what it may leave and hold is added up and reserved. A request that would pass
 * a ceiling is refused as a whole.
 */
#ifndef LAB_SERVER_GUARD_H
#define LAB_SERVER_GUARD_H

#include <stddef.h>

#include "options.h"

/* What a request may need at most, beyond what the process has now. */
struct guard_need {
    size_t heap_bytes;
    unsigned threads;
    unsigned fds;
    unsigned timers;
};

/* Why a request is refused: the ceiling that it would pass. */
struct guard_refusal {
    const char *code;   /* "heap_limit", "thread_limit", "fd_limit", "timer_limit" */
    const char *what;   /* "heap bytes" */
    const char *option; /* "--max-heap" */
    size_t in_use;      /* now, plus the reservations of running requests */
    size_t need;
    size_t limit;
};

/* Reserves `need`. Returns 0, and the caller calls guard_leave(need) at the end;
 * -EAGAIN with *ret_refusal filled in; or -errno if the process could not be
 * counted. */
int guard_enter(const struct options *options, const struct guard_need *need,
                struct guard_refusal *ret_refusal);

/* Ends a reservation of guard_enter, with the same `need`. */
void guard_leave(const struct guard_need *need);

/* Sets hard limits in case a ceiling is passed anyway: the allocator's limit, RLIMIT_AS
 * and RLIMIT_NOFILE. Lowers options->max_fds if the system allows fewer descriptors.
 * Call it before threads are started. Returns 0 or -errno. */
int guard_set_limits(struct options *options);

/* Makes the stacks of later threads small, so that thousands of stuck threads do not
 * need gigabytes of address space. Call it after the server's threads have been
 * started: they keep the system's default, because libdw needs more. */
void guard_shrink_stacks(const struct options *options);

#endif
