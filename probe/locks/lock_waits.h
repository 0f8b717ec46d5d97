/*
 * Which lock each thread waits for. A thread notes it before it waits and takes the
 * note back afterwards; a lock that is free costs nothing but the attempt to take it.
 */
#ifndef PROBE_LOCKS_LOCK_WAITS_H
#define PROBE_LOCKS_LOCK_WAITS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum lock_call {
    LOCK_CALL_MUTEX,
    LOCK_CALL_READ,      /* of a rwlock */
    LOCK_CALL_WRITE,     /* of a rwlock */
    LOCK_CALL_CONDITION, /* a condition variable: at its end the thread takes the mutex
                          */
};

/* A wait, on the stack of the function that waits. */
struct lock_wait {
    const void *lock; /* the mutex or rwlock; of LOCK_CALL_CONDITION the mutex */
    const void *condition;
    enum lock_call call;
    bool timed;              /* it ends by itself */
    struct lock_wait *outer; /* a signal handler may wait within another wait */
};

/* The thread begins and ends a wait. They keep errno. `wait` has its first members
 * set. */
void probe_lock_wait_begin(struct lock_wait *wait);
void probe_lock_wait_end(struct lock_wait *wait);

/* Until the end of the block, also if the thread is cancelled meanwhile. */
#define LOCK_WAIT_HERE(...)                                                            \
    struct lock_wait lock_wait                                                         \
        __attribute__((cleanup(probe_lock_wait_end))) = {__VA_ARGS__};                 \
    probe_lock_wait_begin(&lock_wait)

/* Ends all waits of the calling thread: it is about to jump out of them. */
void probe_lock_waits_abandon(void);

#endif
