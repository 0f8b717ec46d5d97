/*
 * Waiting for a lock: a short while by trying, because the tables are held for less
 * than a microsecond, then in the kernel (futex(2)).
 */
#include "probe/recorder/lock.h"

#include <linux/futex.h>
#include <sched.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe/recorder/inside.h"

#define LOCK_TRIES 64
#define LOCK_YIELDS 200

void probe_lock_wait(struct probe_lock *lock)
{
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (atomic_load_explicit(&lock->state, memory_order_relaxed) == 0 &&
            probe_lock_try(lock)) {
            return;
        }
    }
    while (atomic_exchange_explicit(&lock->state, 2, memory_order_acquire) != 0) {
        syscall(SYS_futex, &lock->state, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
    }
}

void probe_lock_wake(struct probe_lock *lock)
{
    syscall(SYS_futex, &lock->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
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
    probe_lock_take(lock);
    return true;
}
