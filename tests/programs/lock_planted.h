/*
 * For lock_storm.c: threads that wait for ever, beside the storm.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "lock_storm.h"

/* What a planted thread does: it takes the first lock, and when all have theirs it
 * wants the second. NULL: none. */
struct planted {
    const char *name;
    pthread_mutex_t *takes;
    pthread_rwlock_t *writes;
    pthread_mutex_t *wants;
    pthread_rwlock_t *reads;
    bool ends; /* with what it has */
    pid_t number;
};

enum { PLANTED = 8 };

static pthread_mutex_t planted_mutexes[5] = {
    PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
    PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
static pthread_rwlock_t planted_rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t planted_ready;
static _Atomic pid_t planted_owner; /* it has ended with a mutex */

static struct planted planted[PLANTED] = {
    {.name = "pair", .takes = &planted_mutexes[0], .wants = &planted_mutexes[1]},
    {.name = "pair", .takes = &planted_mutexes[1], .wants = &planted_mutexes[0]},
    {.name = "behind", .wants = &planted_mutexes[0]},
    {.name = "writer", .writes = &planted_rwlock, .wants = &planted_mutexes[2]},
    {.name = "reader", .takes = &planted_mutexes[2], .reads = &planted_rwlock},
    {.name = "self", .takes = &planted_mutexes[3], .wants = &planted_mutexes[3]},
    {.name = "gone", .takes = &planted_mutexes[4], .ends = true},
    {.name = "left", .wants = &planted_mutexes[4]},
};

static void *planted_run(void *argument)
{
    struct planted *self = argument;
    pthread_setname_np(pthread_self(), self->name);
    self->number = gettid();
    if (self->takes != NULL) {
        pthread_mutex_lock(self->takes);
    }
    if (self->writes != NULL) {
        pthread_rwlock_wrlock(self->writes);
    }
    pthread_barrier_wait(&planted_ready);
    if (self->ends) {
        return NULL;
    }
    if (self->reads != NULL) {
        pthread_rwlock_rdlock(self->reads);
    } else {
        pthread_mutex_lock(self->wants);
    }
    need(false, "a planted thread goes on");
    return NULL;
}

static void planted_begin(void)
{
    pthread_t thread[PLANTED];
    pthread_barrier_init(&planted_ready, NULL, PLANTED + 1);
    for (int i = 0; i < PLANTED; i++) {
        need(pthread_create(&thread[i], NULL, planted_run, &planted[i]) == 0,
             "pthread_create");
    }
    pthread_barrier_wait(&planted_ready);
    pthread_join(thread[6], NULL);
    atomic_store(&planted_owner, planted[6].number);
    printf("deadlock %d %d\n", planted[0].number, planted[1].number);
    printf("stuck %d\n", planted[2].number);
    printf("deadlock %d %d\n", planted[3].number, planted[4].number);
    printf("deadlock %d\n", planted[5].number);
    printf("never %d %d\n", planted[6].number, planted[7].number);
}
