/*
 * A lock that goes round: who has waited longest gets it next. A plain mutex promises
 * no order, and the thread profiler's signals make it worse: each sends all who wait
 * for the mutex back to the end of the queue, so that one may wait for minutes.
 */
#ifndef PROBE_THREADS_TURN_H
#define PROBE_THREADS_TURN_H

#include <pthread.h>
#include <stdint.h>

struct turn {
    pthread_mutex_t mutex;
    pthread_cond_t passed;
    uint64_t drawn;  /* numbers that were given out */
    uint64_t served; /* of these, whose turn is over */
};

/* Versions of clang-format differ in where they put these braces. */
/* clang-format off */
#define TURN_INITIALIZER {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0}
/* clang-format on */

/* Waits for one's turn, which lasts until probe_turn_pass. */
void probe_turn_wait(struct turn *turn);

void probe_turn_pass(struct turn *turn);

#endif
