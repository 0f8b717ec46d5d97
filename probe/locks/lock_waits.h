/*
 * Which lock each thread waits for. A thread notes it before it waits and takes the
 * note back afterwards; a lock that is free costs nothing but the attempt to take it.
 *
 *   probe/calls/        notes, in the thread that waits
 *     lock_notes.h      the notes of all threads, for a reader
 *     lock_state.h      what a lock says of itself: its kind, who has it
 *     lock_memory.h     whether other processes may have it too
 *     lock_futex.h      what the kernel says of a waiting thread
 *     lock_graph.h      who waits for whom: which of them never go on
 *     lock_view.h       all that at one moment
 *     lock_text.h       as text; likewise lock_leak.h, probe/pages/lock_json.h
 */
#ifndef PROBE_LOCKS_LOCK_WAITS_H
#define PROBE_LOCKS_LOCK_WAITS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "probe/recorder/inside.h"
#include "probe/resources/resources.h"

enum lock_call {
    LOCK_CALL_MUTEX,
    LOCK_CALL_READ,      /* of a rwlock */
    LOCK_CALL_WRITE,     /* of a rwlock */
    LOCK_CALL_CONDITION, /* a condition variable; at the end it takes the mutex */
};

/* A wait, on the stack of the function that waits. The first four members are for the
 * caller to set. */
struct lock_wait {
    const void *lock; /* the mutex or rwlock; of LOCK_CALL_CONDITION the mutex */
    const void *condition;
    enum lock_call call;
    bool timed;              /* it ends by itself */
    bool own;                /* the thread has that lock already */
    bool lost;               /* there is no memory for its note */
    int64_t since_ns;        /* CLOCK_MONOTONIC_COARSE */
    struct lock_wait *outer; /* a signal handler may wait within another wait */
};

/* Begins to note waits, unless `why_not` says why that is impossible: a static text. */
void probe_lock_waits_start(const char *why_not);

/* Why no waits are noted, or not all that last; NULL if they are. */
const char *probe_lock_waits_missing(void);

extern atomic_bool probe_lock_waits_on;

/* Whether a wait of this thread is to be noted now. */
static inline bool probe_lock_waits_wanted(void)
{
    return atomic_load_explicit(&probe_lock_waits_on, memory_order_relaxed) &&
           probe_inside == 0 && (probe_in_vfork == 0 || !probe_is_other_process());
}

/* The thread begins and ends a wait. They keep errno, and may be called in a signal
 * handler. */
void probe_lock_wait_begin(struct lock_wait *wait);
void probe_lock_wait_end(struct lock_wait *wait);

/* Until the end of the block, also if the thread is cancelled meanwhile. */
#define LOCK_WAIT_HERE(...)                                                            \
    struct lock_wait lock_wait                                                         \
        __attribute__((cleanup(probe_lock_wait_end))) = {__VA_ARGS__};                 \
    probe_lock_wait_begin(&lock_wait)

/* Ends all waits of the calling thread: it is about to jump out of them. */
void probe_lock_waits_abandon(void);

/* Around fork, in the thread that forks: it has another number in the child. */
void probe_lock_waits_fork_prepare(void);
void probe_lock_waits_fork_child(void);

/* Whether this process was forked: the owner of a lock may have stayed in another. */
bool probe_lock_waits_forked(void);

#endif
