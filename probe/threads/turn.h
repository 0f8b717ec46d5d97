/*
 * A fair lock (a ticket lock): the thread that has waited longest gets it next. A plain
 * mutex promises no order. The signals of the thread profiler make that worse: each one
 * sends the threads that wait for a mutex to the end of its queue, so one of them could
 * wait for minutes.
 */
#ifndef PROBE_THREADS_TURN_H
#define PROBE_THREADS_TURN_H

#include <pthread.h>
#include <stdint.h>

struct turn {
    pthread_mutex_t mutex;
    pthread_cond_t passed;
    uint64_t drawn;  /* tickets that were given out */
    uint64_t served; /* tickets whose owners have released the lock */
};

/* Versions of clang-format disagree about these braces. */
/* clang-format off */
#define TURN_INITIALIZER {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0}
/* clang-format on */

/* Takes the lock. probe_turn_pass releases it. */
void probe_turn_wait(struct turn *turn);

void probe_turn_pass(struct turn *turn);

#endif
