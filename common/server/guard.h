/*
 * The guard rails. The leaky server can be told to leak without end and must never harm
 * its machine, so before a request runs, what it may leave and hold is added up and
 * reserved; a request that would pass a ceiling is refused whole.
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

/* A ceiling that would be passed. */
struct guard_refusal {
    const char *code;   /* "heap_limit", "thread_limit", "fd_limit", "timer_limit" */
    const char *what;   /* "heap bytes" */
    const char *option; /* "--max-heap" */
    size_t in_use;      /* now, with what running requests have reserved */
    size_t need;
    size_t limit;
};

/* Reserves `need`. Returns 0, and the caller ends with guard_leave(need); or -EAGAIN
 * with *ret_refusal filled in; or -errno if the process could not be counted. */
int guard_enter(const struct options *options, const struct guard_need *need,
                struct guard_refusal *ret_refusal);

void guard_leave(const struct guard_need *need);

/* Sets the hard limits that stand behind the rails: the allocator's, RLIMIT_AS and
 * RLIMIT_NOFILE. Lowers options->max_fds if the system allows fewer descriptors. To be
 * called before threads are started. Returns 0 or -errno. */
int guard_set_limits(struct options *options);

/* Makes the stacks of later threads small: thousands of stuck threads must not need
 * gigabytes of addresses. To be called when the threads of the server exist, which keep
 * the system's default: libdw needs more than this. */
void guard_shrink_stacks(const struct options *options);

#endif
