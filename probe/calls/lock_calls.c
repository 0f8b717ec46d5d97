/*
 * The functions that wait for a mutex or a rwlock. Each first tries to take the lock:
 * one that is free costs no more than that. Else the thread notes which lock it waits
 * for, and waits in the C library's function.
 *
 * To try first changes nothing: for the usual kinds of mutex, and all kinds of rwlock,
 * the try function takes a lock exactly if the other one would not wait (glibc's
 * nptl/pthread_mutex_trylock.c, pthread_rwlock_tryrdlock.c,
 * pthread_rwlock_trywrlock.c). An error-checking mutex that the caller holds is busy to
 * the one, EDEADLK to the other: then the other one is called. It is not so for robust
 * mutexes (one that cannot be recovered stays locked by the try function), and those
 * with priorities. And some functions want a valid time or clock even for a free lock.
 * There nothing is tried.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <threads.h>
#include <time.h>

#include "base/clock.h"
#include "probe/calls/libc_function.h"
#include "probe/calls/real_function.h"
#include "probe/locks/lock_waits.h"

/* Bits of pthread_mutex_t's kind: robust, inheriting a priority, with a ceiling of
 * priorities. Source: glibc's nptl/pthreadP.h. */
#define KIND_UNUSUAL (16 | 32 | 64)

/* dlsym must not be called here: see libc_function.h. */
static void *lock_real(struct real_function *real)
{
    void *address = atomic_load_explicit(&real->address, memory_order_relaxed);
    if (address == NULL) {
        address = probe_libc_function(real->name);
        if (address == NULL) {
            return probe_real_find(real);
        }
        atomic_store_explicit(&real->address, address, memory_order_relaxed);
    }
    return address;
}

static inline bool usual(const pthread_mutex_t *mutex)
{
    return (__atomic_load_n(&mutex->__data.__kind, __ATOMIC_RELAXED) & KIND_UNUSUAL) ==
           0;
}

static inline bool usual_mtx(const mtx_t *mutex)
{
    return usual((const pthread_mutex_t *)(const void *)mutex);
}

static inline bool clock_works(clockid_t clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC;
}

/* The C library's headers promise that it is not NULL; the C library itself is ready
 * for that. */
static inline bool time_works(const struct timespec *end)
{
    const struct timespec *volatile given = end;
    return given != NULL && given->tv_nsec >= 0 && given->tv_nsec < CLOCK_NS_PER_SECOND;
}

/* LOCK(name, parameters, arguments, whether to try, how, what says that it is taken,
 * the wait). The wait is apart, so that a free lock needs no room on the stack. */
/* NOLINTBEGIN(bugprone-macro-parentheses): lists of arguments are in their own */
#define LOCK(function, parameters, arguments, tries, attempt, busy, ...)               \
    PROBE_REAL_ENTRY(function, NULL)                                                   \
    PROBE_HIDDEN_FRAME static int function##_wait parameters                           \
    {                                                                                  \
        __typeof__(&(function)) real =                                                 \
            (__typeof__(&(function)))lock_real(&function##_function);                  \
        if (!probe_lock_waits_wanted()) {                                              \
            return real arguments;                                                     \
        }                                                                              \
        LOCK_WAIT_HERE(__VA_ARGS__);                                                   \
        return real arguments;                                                         \
    }                                                                                  \
    PROBE_EXPORT int function parameters                                               \
    {                                                                                  \
        if (tries) {                                                                   \
            int got = attempt;                                                         \
            if (__builtin_expect(got != (busy), 1)) {                                  \
                return got;                                                            \
            }                                                                          \
        }                                                                              \
        return function##_wait arguments;                                              \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

#define MUTEX .call = LOCK_CALL_MUTEX, .lock = mutex
#define READS .call = LOCK_CALL_READ, .lock = rwlock
#define WRITES .call = LOCK_CALL_WRITE, .lock = rwlock
#define TIMED .timed = true

LOCK(pthread_mutex_lock, (pthread_mutex_t * mutex), (mutex), usual(mutex),
     pthread_mutex_trylock(mutex), EBUSY, MUTEX)
LOCK(pthread_mutex_timedlock, (pthread_mutex_t * mutex, const struct timespec *end),
     (mutex, end), usual(mutex), pthread_mutex_trylock(mutex), EBUSY, MUTEX, TIMED)
LOCK(pthread_mutex_clocklock,
     (pthread_mutex_t * mutex, clockid_t clock, const struct timespec *end),
     (mutex, clock, end), usual(mutex) && clock_works(clock),
     pthread_mutex_trylock(mutex), EBUSY, MUTEX, TIMED)
LOCK(mtx_lock, (mtx_t * mutex), (mutex), usual_mtx(mutex), mtx_trylock(mutex),
     thrd_busy, MUTEX)
LOCK(mtx_timedlock, (mtx_t * mutex, const struct timespec *end), (mutex, end),
     usual_mtx(mutex), mtx_trylock(mutex), thrd_busy, MUTEX, TIMED)

LOCK(pthread_rwlock_rdlock, (pthread_rwlock_t * rwlock), (rwlock), true,
     pthread_rwlock_tryrdlock(rwlock), EBUSY, READS)
LOCK(pthread_rwlock_timedrdlock,
     (pthread_rwlock_t * rwlock, const struct timespec *end), (rwlock, end),
     time_works(end), pthread_rwlock_tryrdlock(rwlock), EBUSY, READS, TIMED)
LOCK(pthread_rwlock_clockrdlock,
     (pthread_rwlock_t * rwlock, clockid_t clock, const struct timespec *end),
     (rwlock, clock, end), time_works(end) && clock_works(clock),
     pthread_rwlock_tryrdlock(rwlock), EBUSY, READS, TIMED)
LOCK(pthread_rwlock_wrlock, (pthread_rwlock_t * rwlock), (rwlock), true,
     pthread_rwlock_trywrlock(rwlock), EBUSY, WRITES)
LOCK(pthread_rwlock_timedwrlock,
     (pthread_rwlock_t * rwlock, const struct timespec *end), (rwlock, end),
     time_works(end), pthread_rwlock_trywrlock(rwlock), EBUSY, WRITES, TIMED)
LOCK(pthread_rwlock_clockwrlock,
     (pthread_rwlock_t * rwlock, clockid_t clock, const struct timespec *end),
     (rwlock, clock, end), time_works(end) && clock_works(clock),
     pthread_rwlock_trywrlock(rwlock), EBUSY, WRITES, TIMED)

/* Names of old: programs that were linked to them still call them. */
int __pthread_mutex_lock(pthread_mutex_t *mutex);
int __pthread_rwlock_rdlock(pthread_rwlock_t *rwlock);
int __pthread_rwlock_wrlock(pthread_rwlock_t *rwlock);

PROBE_EXPORT int __pthread_mutex_lock(pthread_mutex_t *mutex)
{
    return pthread_mutex_lock(mutex);
}

PROBE_EXPORT int __pthread_rwlock_rdlock(pthread_rwlock_t *rwlock)
{
    return pthread_rwlock_rdlock(rwlock);
}

PROBE_EXPORT int __pthread_rwlock_wrlock(pthread_rwlock_t *rwlock)
{
    return pthread_rwlock_wrlock(rwlock);
}
