/*
 * For lock_plan.c: its locks, and what its threads do with them. Each call returns what
 * the C library's function returns; `way` chooses between functions that do the same.
 */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

enum { LOCKS = 16, LONG = 3600 /* seconds */ };

struct lock {
    bool c11; /* its functions are those of threads.h */
    union {
        pthread_mutex_t mutex;
        pthread_rwlock_t rwlock;
        mtx_t mtx;
    };
    union {
        pthread_cond_t condition;
        cnd_t cnd;
    };
};

static struct lock *locks[LOCKS]; /* a plan's */
static int lock_count;
static int line_number;

static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "lock_plan: line %d: ", line_number);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    _exit(1);
}

static void need(bool right, const char *what)
{
    if (!right) {
        fail("%s", what);
    }
}

static bool has(const char *line, const char *word)
{
    const char *found = strstr(line, word);
    return found != NULL && found[-1] == ' ';
}

static void mutex_init(struct lock *lock, const char *line)
{
    static const struct {
        const char *name;
        int type;
    } types[] = {{"normal", PTHREAD_MUTEX_NORMAL},
                 {"recursive", PTHREAD_MUTEX_RECURSIVE},
                 {"errorcheck", PTHREAD_MUTEX_ERRORCHECK},
                 {"adaptive", PTHREAD_MUTEX_ADAPTIVE_NP}};
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (has(line, types[i].name)) {
            pthread_mutexattr_settype(&attributes, types[i].type);
        }
    }
    pthread_mutexattr_setprotocol(&attributes, has(line, "pi") ? PTHREAD_PRIO_INHERIT
                                                               : PTHREAD_PRIO_NONE);
    pthread_mutexattr_setrobust(&attributes, has(line, "robust")
                                                 ? PTHREAD_MUTEX_ROBUST
                                                 : PTHREAD_MUTEX_STALLED);
    pthread_mutexattr_setpshared(&attributes, has(line, "processes")
                                                  ? PTHREAD_PROCESS_SHARED
                                                  : PTHREAD_PROCESS_PRIVATE);
    need(pthread_mutex_init(&lock->mutex, &attributes) == 0, "pthread_mutex_init");
    pthread_cond_init(&lock->condition, NULL);
}

static void mtx_new(struct lock *lock, const char *line)
{
    lock->c11 = true;
    need(mtx_init(&lock->mtx, mtx_timed | (has(line, "recursive") ? mtx_recursive
                                                                  : 0)) == thrd_success,
         "mtx_init");
    need(cnd_init(&lock->cnd) == thrd_success, "cnd_init");
}

static void rwlock_init(struct lock *lock, const char *line)
{
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(
        &attributes, has(line, "writers") ? PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP
                                          : PTHREAD_RWLOCK_PREFER_READER_NP);
    pthread_rwlockattr_setpshared(&attributes, has(line, "processes")
                                                   ? PTHREAD_PROCESS_SHARED
                                                   : PTHREAD_PROCESS_PRIVATE);
    need(pthread_rwlock_init(&lock->rwlock, &attributes) == 0, "pthread_rwlock_init");
}

/* Its memory may be such as several processes have, whether or not it is for them. */
static void lock_add(const char *line)
{
    int sharing = has(line, "shared") ? MAP_SHARED : MAP_PRIVATE;
    struct lock *lock = mmap(NULL, sizeof(*lock), PROT_READ | PROT_WRITE,
                             sharing | MAP_ANONYMOUS, -1, 0);
    need(lock_count < LOCKS && lock != MAP_FAILED, "room for a lock");
    if (line[0] == 'r') {
        rwlock_init(lock, line);
    } else if (has(line, "c11")) {
        mtx_new(lock, line);
    } else {
        mutex_init(lock, line);
    }
    locks[lock_count++] = lock;
}

static struct timespec far(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    time.tv_sec += LONG;
    return time;
}

/* Of the C11 functions only these two results are expected here. */
static int from_c11(int result)
{
    return result == thrd_success ? 0 : result == thrd_busy ? EBUSY : -1;
}

static int call_lock(int number, int way)
{
    struct lock *lock = locks[number];
    (void)way;
    return lock->c11 ? from_c11(mtx_lock(&lock->mtx))
                     : pthread_mutex_lock(&lock->mutex);
}

static int call_timedlock(int number, int way)
{
    struct lock *lock = locks[number];
    struct timespec end = far(CLOCK_REALTIME);
    if (lock->c11) {
        return from_c11(mtx_timedlock(&lock->mtx, &end));
    }
    if (way != 1) {
        return pthread_mutex_timedlock(&lock->mutex, &end);
    }
    end = far(CLOCK_MONOTONIC);
    return pthread_mutex_clocklock(&lock->mutex, CLOCK_MONOTONIC, &end);
}

static int call_trylock(int number, int way)
{
    struct lock *lock = locks[number];
    (void)way;
    return lock->c11 ? from_c11(mtx_trylock(&lock->mtx))
                     : pthread_mutex_trylock(&lock->mutex);
}

static int call_unlock(int number, int way)
{
    struct lock *lock = locks[number];
    (void)way;
    return lock->c11 ? from_c11(mtx_unlock(&lock->mtx))
                     : pthread_mutex_unlock(&lock->mutex);
}

static int call_consistent(int number, int way)
{
    (void)way;
    return pthread_mutex_consistent(&locks[number]->mutex);
}

static int call_wait(int number, int way)
{
    struct lock *lock = locks[number];
    struct timespec end = far(CLOCK_REALTIME);
    if (lock->c11) {
        return from_c11(way == 0 ? cnd_wait(&lock->cnd, &lock->mtx)
                                 : cnd_timedwait(&lock->cnd, &lock->mtx, &end));
    }
    switch (way) {
    case 0:
        return pthread_cond_wait(&lock->condition, &lock->mutex);
    case 1:
        return pthread_cond_timedwait(&lock->condition, &lock->mutex, &end);
    default:
        end = far(CLOCK_MONOTONIC);
        return pthread_cond_clockwait(&lock->condition, &lock->mutex, CLOCK_MONOTONIC,
                                      &end);
    }
}

static int call_signal(int number, int way)
{
    struct lock *lock = locks[number];
    if (lock->c11) {
        return from_c11(way == 0 ? cnd_signal(&lock->cnd) : cnd_broadcast(&lock->cnd));
    }
    return way == 0 ? pthread_cond_signal(&lock->condition)
                    : pthread_cond_broadcast(&lock->condition);
}

static int call_rdlock(int number, int way)
{
    (void)way;
    return pthread_rwlock_rdlock(&locks[number]->rwlock);
}

static int call_wrlock(int number, int way)
{
    (void)way;
    return pthread_rwlock_wrlock(&locks[number]->rwlock);
}

static int call_timedrdlock(int number, int way)
{
    struct timespec end = far(way == 1 ? CLOCK_MONOTONIC : CLOCK_REALTIME);
    pthread_rwlock_t *rwlock = &locks[number]->rwlock;
    return way == 1 ? pthread_rwlock_clockrdlock(rwlock, CLOCK_MONOTONIC, &end)
                    : pthread_rwlock_timedrdlock(rwlock, &end);
}

static int call_timedwrlock(int number, int way)
{
    struct timespec end = far(way == 1 ? CLOCK_MONOTONIC : CLOCK_REALTIME);
    pthread_rwlock_t *rwlock = &locks[number]->rwlock;
    return way == 1 ? pthread_rwlock_clockwrlock(rwlock, CLOCK_MONOTONIC, &end)
                    : pthread_rwlock_timedwrlock(rwlock, &end);
}

static int call_tryrdlock(int number, int way)
{
    (void)way;
    return pthread_rwlock_tryrdlock(&locks[number]->rwlock);
}

static int call_trywrlock(int number, int way)
{
    (void)way;
    return pthread_rwlock_trywrlock(&locks[number]->rwlock);
}

static int call_rwunlock(int number, int way)
{
    (void)way;
    return pthread_rwlock_unlock(&locks[number]->rwlock);
}
