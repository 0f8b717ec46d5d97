/*
 * Waiting for a lock: a short while by trying, because the tables are held for less
 * than a microsecond, then in the kernel (futex(2)).
 */
#include "probe/recorder/lock.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/recorder/inside.h"

#define LOCK_TRIES 64
#define LOCK_YIELDS 200

/* Tries for a short while. */
static bool try_often(struct probe_lock *lock)
{
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (atomic_load_explicit(&lock->state, memory_order_relaxed) == 0 &&
            probe_lock_try(lock)) {
            return true;
        }
    }
    return false;
}

/* Sleeps until the lock is given, or for the time. */
static void sleep_once(struct probe_lock *lock, const struct timespec *most)
{
    int saved = errno;
    syscall(SYS_futex, &lock->state, FUTEX_WAIT_PRIVATE, 2, most, NULL, 0);
    errno = saved;
}

void probe_lock_wait(struct probe_lock *lock)
{
    if (try_often(lock)) {
        return;
    }
    while (atomic_exchange_explicit(&lock->state, 2, memory_order_acquire) != 0) {
        sleep_once(lock, NULL);
    }
}

void probe_lock_wake(struct probe_lock *lock)
{
    int saved = errno;
    syscall(SYS_futex, &lock->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    errno = saved;
}

bool probe_lock_take_soon(struct probe_lock *lock)
{
    for (int i = 0; i < LOCK_YIELDS; i++) {
        if (probe_lock_try(lock)) {
            return true;
        }
        sched_yield();
    }
    return false;
}

bool probe_lock_take_safely(struct probe_lock *lock)
{
    if (probe_inside > 1) {
        return probe_lock_take_soon(lock);
    }
    return probe_lock_take_patiently(lock);
}

bool probe_lock_wait_patiently(struct probe_lock *lock)
{
    if (try_often(lock)) {
        return true;
    }
    const struct timespec most = {.tv_nsec = LOCK_PATIENCE_NS};
    const int64_t end = clock_now_ns() + LOCK_PATIENCE_NS;
    while (atomic_exchange_explicit(&lock->state, 2, memory_order_acquire) != 0) {
        if (clock_now_ns() >= end) {
            return false;
        }
        sleep_once(lock, &most);
    }
    return true;
}
