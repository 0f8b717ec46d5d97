/*
 * For lock_storm.c: mutexes of every type, and threads that count what they take.
 */
#ifndef LOCK_STORM_H
#define LOCK_STORM_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void need(bool right, const char *what)
{
    if (!right) {
        perror(what);
        _exit(1);
    }
}

/* A lock, and what it guards. */
struct guarded {
    pthread_mutex_t mutex;
    pthread_rwlock_t rwlock;
    long count;
} __attribute__((aligned(128)));

struct worker {
    pthread_t thread;
    uint64_t random;
    long taken;  /* locks */
    long counts; /* that it has added to what mutexes guard */
    long writes; /* the same of rwlocks */
} __attribute__((aligned(128)));

/* Less than the limit. */
static unsigned draw(struct worker *worker, unsigned limit)
{
    worker->random ^= worker->random << 13;
    worker->random ^= worker->random >> 7;
    worker->random ^= worker->random << 17;
    return (unsigned)(worker->random >> 33) % limit;
}

static struct timespec soon(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    time.tv_nsec += 200000;
    if (time.tv_nsec >= 1000000000) {
        time.tv_nsec -= 1000000000;
        time.tv_sec++;
    }
    return time;
}

static void nap(int microseconds)
{
    if (microseconds > 0) {
        usleep((unsigned)microseconds);
    }
}

static bool is_robust(int number)
{
    return number % 8 == 5;
}

static bool inherits(int number)
{
    return number % 8 == 6;
}

static void mutex_init(pthread_mutex_t *mutex, int number)
{
    static const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_NORMAL,
                                PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK,
                                PTHREAD_MUTEX_ADAPTIVE_NP};
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, types[number % 5]);
    if (is_robust(number)) {
        pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    }
    if (inherits(number)) {
        pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    }
    if (number % 8 == 7) {
        pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    }
    need(pthread_mutex_init(mutex, &attributes) == 0, "pthread_mutex_init");
}

/* Whether a call that returned this has taken the mutex. If it is robust, its owner
 * may have ended with it. */
static bool is_taken(struct worker *worker, struct guarded *guarded, int result)
{
    need(result == 0 || result == EBUSY || result == ETIMEDOUT || result == EOWNERDEAD,
         "a mutex");
    if (result == EOWNERDEAD) {
        pthread_mutex_consistent(&guarded->mutex);
    } else if (result != 0) {
        return false;
    }
    worker->taken++;
    return true;
}

static void take(struct worker *worker, struct guarded *guarded)
{
    need(is_taken(worker, guarded, pthread_mutex_lock(&guarded->mutex)), "lock");
    guarded->count++;
    worker->counts++;
}

#endif
