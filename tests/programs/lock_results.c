/* What the functions of mutexes and rwlocks return: for each kind, free, taken by
 * another thread, taken by the caller, left by one that has ended; with times and
 * clocks that are right and wrong. Prints all of it: a run with the probe must print
 * the same. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define NO_CLOCK 99

static const char *what = "";

static void say(const char *call, int result)
{
    printf("%s %s: %d\n", what, call, result);
}

/* Says what a call returns, and whether it changed errno. */
#define SAY(call)                                                                      \
    do {                                                                               \
        errno = 4711;                                                                  \
        int result = (call);                                                           \
        say(#call, result);                                                            \
        if (errno != 4711) {                                                           \
            say("errno", errno);                                                       \
        }                                                                              \
    } while (0)

static struct timespec soon(clockid_t clock)
{
    struct timespec end;
    clock_gettime(clock, &end);
    end.tv_nsec += 2000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000;
    }
    return end;
}

static const struct timespec past = {0, 0};
static const struct timespec before = {-5, 0};
static const struct timespec wrong = {0, 1000000000};
static const struct timespec negative = {0, -1};

static void run(void *(*routine)(void *), void *argument)
{
    pthread_t thread;
    pthread_create(&thread, NULL, routine, argument);
    pthread_join(thread, NULL);
}

/* ---- Mutexes ---- */

/* Of one that is free, or that the caller has. */
static void *mutex_try_all(void *argument)
{
    pthread_mutex_t *mutex = argument;
    struct timespec real = soon(CLOCK_REALTIME);
    struct timespec steady = soon(CLOCK_MONOTONIC);
    SAY(pthread_mutex_timedlock(mutex, &real));
    SAY(pthread_mutex_unlock(mutex));
    SAY(pthread_mutex_timedlock(mutex, &past));
    SAY(pthread_mutex_unlock(mutex));
    SAY(pthread_mutex_timedlock(mutex, &before));
    SAY(pthread_mutex_unlock(mutex));
    SAY(pthread_mutex_timedlock(mutex, &wrong));
    SAY(pthread_mutex_unlock(mutex));
    SAY(pthread_mutex_timedlock(mutex, &negative));
    SAY(pthread_mutex_unlock(mutex));
    SAY(pthread_mutex_clocklock(mutex, CLOCK_REALTIME, &real));
    SAY(pthread_mutex_unlock(mutex));
    SAY(pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &steady));
    SAY(pthread_mutex_unlock(mutex));
    SAY(pthread_mutex_clocklock(mutex, CLOCK_BOOTTIME, &steady));
    SAY(pthread_mutex_unlock(mutex));
    SAY(pthread_mutex_clocklock(mutex, NO_CLOCK, &past));
    SAY(pthread_mutex_unlock(mutex));
    return NULL;
}

/* Of one that another thread has: no unlock. */
static void *mutex_try_taken(void *argument)
{
    pthread_mutex_t *mutex = argument;
    struct timespec real = soon(CLOCK_REALTIME);
    struct timespec steady = soon(CLOCK_MONOTONIC);
    SAY(pthread_mutex_trylock(mutex));
    SAY(pthread_mutex_timedlock(mutex, &real));
    SAY(pthread_mutex_timedlock(mutex, &past));
    SAY(pthread_mutex_timedlock(mutex, &before));
    SAY(pthread_mutex_timedlock(mutex, &wrong));
    SAY(pthread_mutex_timedlock(mutex, &negative));
    SAY(pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &steady));
    SAY(pthread_mutex_clocklock(mutex, CLOCK_BOOTTIME, &past));
    SAY(pthread_mutex_clocklock(mutex, NO_CLOCK, &past));
    return NULL;
}

static void *lock_and_end(void *mutex)
{
    SAY(pthread_mutex_lock(mutex));
    return NULL;
}

static void mutex_again(pthread_mutex_t *mutex, int type)
{
    struct timespec real = soon(CLOCK_REALTIME);
    SAY(pthread_mutex_timedlock(mutex, &real));
    if (type == PTHREAD_MUTEX_RECURSIVE || type == PTHREAD_MUTEX_ERRORCHECK) {
        SAY(pthread_mutex_lock(mutex));
        SAY(pthread_mutex_unlock(mutex));
        SAY(pthread_mutex_unlock(mutex));
        SAY(pthread_mutex_trylock(mutex));
    }
    if (type == PTHREAD_MUTEX_RECURSIVE) {
        SAY(pthread_mutex_unlock(mutex));
    }
    SAY(pthread_mutex_unlock(mutex));
}

/* Left by a thread that has ended: repaired; then not, and it is lost. */
static void mutex_inherit(pthread_mutex_t *mutex)
{
    run(lock_and_end, mutex);
    SAY(pthread_mutex_lock(mutex));
    SAY(pthread_mutex_consistent(mutex));
    SAY(pthread_mutex_unlock(mutex));
    run(lock_and_end, mutex);
    SAY(pthread_mutex_lock(mutex));
    SAY(pthread_mutex_unlock(mutex));
    for (int i = 0; i < 3; i++) {
        SAY(pthread_mutex_lock(mutex));
        SAY(pthread_mutex_timedlock(mutex, &past));
        run(lock_and_end, mutex);
    }
}

static void mutex_kind(int type, bool robust, bool shared, int protocol)
{
    char name[64];
    pthread_mutex_t mutex;
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, type);
    pthread_mutexattr_setrobust(&attributes,
                                robust ? PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED);
    pthread_mutexattr_setpshared(&attributes, shared ? PTHREAD_PROCESS_SHARED
                                                     : PTHREAD_PROCESS_PRIVATE);
    pthread_mutexattr_setprotocol(&attributes, protocol);
    snprintf(name, sizeof(name), "type %d robust %d shared %d protocol %d", type,
             robust, shared, protocol);
    what = name;
    SAY(pthread_mutex_init(&mutex, &attributes));
    SAY(pthread_mutex_lock(&mutex));
    SAY(pthread_mutex_unlock(&mutex));
    mutex_try_all(&mutex);
    SAY(pthread_mutex_lock(&mutex));
    run(mutex_try_taken, &mutex);
    mutex_again(&mutex, type);
    if (robust) {
        mutex_inherit(&mutex);
    }
    SAY(pthread_mutex_destroy(&mutex));
    SAY(pthread_mutex_lock(&mutex)); /* its type is none now */
}

static void mutexes(void)
{
    static const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
                                PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP};
    for (unsigned i = 0; i < 4; i++) {
        mutex_kind(types[i], false, false, PTHREAD_PRIO_NONE);
        mutex_kind(types[i], false, true, PTHREAD_PRIO_NONE);
        mutex_kind(types[i], true, false, PTHREAD_PRIO_NONE);
        mutex_kind(types[i], true, true, PTHREAD_PRIO_NONE);
        mutex_kind(types[i], false, false, PTHREAD_PRIO_INHERIT);
        mutex_kind(types[i], true, false, PTHREAD_PRIO_INHERIT);
        mutex_kind(types[i], false, false, PTHREAD_PRIO_PROTECT);
    }
}

/* ---- C11 ---- */

static void *mtx_try_taken(void *argument)
{
    mtx_t *mutex = argument;
    SAY(mtx_timedlock(mutex, &past));
    SAY(mtx_timedlock(mutex, &wrong));
    SAY(mtx_trylock(mutex));
    return NULL;
}

static void c11(int type)
{
    mtx_t mutex;
    SAY(mtx_init(&mutex, type));
    SAY(mtx_timedlock(&mutex, &wrong));
    run(mtx_try_taken, &mutex);
    if ((type & mtx_recursive) != 0) {
        SAY(mtx_lock(&mutex));
        SAY(mtx_unlock(&mutex));
    }
    SAY(mtx_unlock(&mutex));
    SAY(mtx_lock(&mutex));
    SAY(mtx_unlock(&mutex));
    mtx_destroy(&mutex);
}

/* ---- Rwlocks ---- */

static void rwlock_unlock(pthread_rwlock_t *rwlock, int result)
{
    if (result == 0) {
        SAY(pthread_rwlock_unlock(rwlock));
    }
}

#define SAY_RWLOCK(call)                                                               \
    do {                                                                               \
        int result = (call);                                                           \
        say(#call, result);                                                            \
        rwlock_unlock(rwlock, result);                                                 \
    } while (0)

/* Free, or taken in any way. */
static void *rwlock_try_all(void *argument)
{
    pthread_rwlock_t *rwlock = argument;
    struct timespec real = soon(CLOCK_REALTIME);
    struct timespec steady = soon(CLOCK_MONOTONIC);
    SAY_RWLOCK(pthread_rwlock_timedrdlock(rwlock, &real));
    SAY_RWLOCK(pthread_rwlock_timedrdlock(rwlock, &past));
    SAY_RWLOCK(pthread_rwlock_timedrdlock(rwlock, &wrong));
    SAY_RWLOCK(pthread_rwlock_timedrdlock(rwlock, &negative));
    SAY_RWLOCK(pthread_rwlock_timedwrlock(rwlock, &real));
    SAY_RWLOCK(pthread_rwlock_timedwrlock(rwlock, &past));
    SAY_RWLOCK(pthread_rwlock_timedwrlock(rwlock, &wrong));
    SAY_RWLOCK(pthread_rwlock_timedwrlock(rwlock, &negative));
    SAY_RWLOCK(pthread_rwlock_clockrdlock(rwlock, CLOCK_MONOTONIC, &steady));
    SAY_RWLOCK(pthread_rwlock_clockrdlock(rwlock, CLOCK_BOOTTIME, &steady));
    SAY_RWLOCK(pthread_rwlock_clockrdlock(rwlock, NO_CLOCK, &past));
    SAY_RWLOCK(pthread_rwlock_clockwrlock(rwlock, CLOCK_MONOTONIC, &steady));
    SAY_RWLOCK(pthread_rwlock_clockwrlock(rwlock, CLOCK_BOOTTIME, &steady));
    SAY_RWLOCK(pthread_rwlock_clockwrlock(rwlock, NO_CLOCK, &past));
    SAY_RWLOCK(pthread_rwlock_tryrdlock(rwlock));
    SAY_RWLOCK(pthread_rwlock_trywrlock(rwlock));
    return NULL;
}

static void rwlocks(int kind, int shared)
{
    char name[64];
    pthread_rwlock_t rwlock;
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, kind);
    pthread_rwlockattr_setpshared(&attributes, shared);
    snprintf(name, sizeof(name), "rwlock %d shared %d", kind, shared);
    what = name;
    SAY(pthread_rwlock_init(&rwlock, &attributes));
    rwlock_try_all(&rwlock);
    SAY(pthread_rwlock_rdlock(&rwlock));
    rwlock_try_all(&rwlock);
    run(rwlock_try_all, &rwlock);
    SAY(pthread_rwlock_unlock(&rwlock));
    SAY(pthread_rwlock_wrlock(&rwlock));
    SAY(pthread_rwlock_rdlock(&rwlock));
    SAY(pthread_rwlock_wrlock(&rwlock));
    run(rwlock_try_all, &rwlock);
    SAY(pthread_rwlock_unlock(&rwlock));
    SAY(pthread_rwlock_destroy(&rwlock));
}

int main(void)
{
    mutexes();
    what = "c11";
    c11(mtx_plain);
    c11(mtx_timed);
    c11(mtx_plain | mtx_recursive);
    for (int shared = 0; shared < 2; shared++) {
        rwlocks(PTHREAD_RWLOCK_PREFER_READER_NP, shared);
        rwlocks(PTHREAD_RWLOCK_PREFER_WRITER_NP, shared);
        rwlocks(PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP, shared);
    }
    return 0;
}
