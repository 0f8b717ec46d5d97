#include "probe/preload/agent_work.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/clock.h"

#define PATIENCE_NS (2 * CLOCK_NS_PER_SECOND)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool works;
static atomic_uint calls; /* that are counted */

struct timespec probe_patience_end(void)
{
    const int64_t end = clock_now_ns() + PATIENCE_NS;
    return (struct timespec){.tv_sec = end / CLOCK_NS_PER_SECOND,
                             .tv_nsec = end % CLOCK_NS_PER_SECOND};
}

void probe_work_begin(void)
{
    pthread_mutex_lock(&lock);
    atomic_store(&works, true);
    /* A call that never comes back was left by a jump out of a signal handler. */
    const int64_t end = clock_now_ns() + PATIENCE_NS;
    while (atomic_load(&calls) > 0) {
        if (clock_now_ns() > end) {
            atomic_store(&calls, 0);
        }
        sched_yield();
    }
}

void probe_work_end(void)
{
    atomic_store(&works, false);
    pthread_mutex_unlock(&lock);
}

bool probe_work_take(void)
{
    const struct timespec until = probe_patience_end();
    return pthread_mutex_clocklock(&lock, CLOCK_MONOTONIC, &until) == 0;
}

void probe_work_give(void)
{
    pthread_mutex_unlock(&lock);
}

/* The counter may have been set to 0 meanwhile. */
static void call_leave(void)
{
    unsigned now = atomic_load(&calls);
    while (now > 0 && !atomic_compare_exchange_weak(&calls, &now, now - 1)) {
    }
}

enum work_hold probe_work_hold(void)
{
    atomic_fetch_add(&calls, 1);
    if (!atomic_load(&works)) {
        return WORK_COUNTED;
    }
    call_leave();
    return probe_work_take() ? WORK_TAKEN : WORK_NOT_HELD;
}

void probe_work_let_go(enum work_hold hold)
{
    if (hold == WORK_COUNTED) {
        call_leave();
    } else if (hold == WORK_TAKEN) {
        probe_work_give();
    }
}

void probe_work_fork_child(void)
{
    pthread_mutex_init(&lock, NULL);
    atomic_store(&works, false);
    atomic_store(&calls, 0);
}
