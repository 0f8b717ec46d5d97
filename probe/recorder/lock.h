/*
 * A lock of one word, for the recorder's tables. Unlike a mutex of the C library it can
 * be tried from a signal handler, needs no memory and is free again in a forked child
 * by storing 0. It is not recursive. All functions keep errno.
 */
#ifndef PROBE_RECORDER_LOCK_H
#define PROBE_RECORDER_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

/* { 0 } is free. */
struct probe_lock {
    _Atomic uint32_t state; /* 0 free, 1 taken, 2 taken and waited for */
};

/* How long nobody waits in vain. */
#define LOCK_PATIENCE_NS (200 * CLOCK_NS_PER_MS)

/* The slow halves of the functions below. All functions here keep errno. */
void probe_lock_wait(struct probe_lock *lock);
bool probe_lock_wait_patiently(struct probe_lock *lock);
void probe_lock_wake(struct probe_lock *lock);

/* Takes the lock unless it stays taken for some time: its holder may be the caller. */
bool probe_lock_take_soon(struct probe_lock *lock);

/* Takes the lock; if the caller may be its holder, only if it is free soon. Holders of
 * this lock have entered the probe (inside.h), and so has the caller: who has entered
 * it once only, holds none. In a busy process the other way fails now and then. As
 * probe_lock_take_patiently, it does not wait for ever. */
bool probe_lock_take_safely(struct probe_lock *lock);

/* Takes the lock if it is free. */
static inline bool probe_lock_try(struct probe_lock *lock)
{
    uint32_t expected = 0;
    return atomic_compare_exchange_strong_explicit(
        &lock->state, &expected, 1, memory_order_acquire, memory_order_relaxed);
}

/* Takes the lock unless it stays taken for LOCK_PATIENCE_NS; the caller is not its
 * holder. No thread of the program waits for ever: one that forks holds every lock, and
 * may wait for one of the program that the caller holds. */
static inline bool probe_lock_take_patiently(struct probe_lock *lock)
{
    return probe_lock_try(lock) || probe_lock_wait_patiently(lock);
}

static inline void probe_lock_take(struct probe_lock *lock)
{
    if (!probe_lock_try(lock)) {
        probe_lock_wait(lock);
    }
}

static inline void probe_lock_give(struct probe_lock *lock)
{
    if (atomic_exchange_explicit(&lock->state, 0, memory_order_release) == 2) {
        probe_lock_wake(lock);
    }
}

#endif
