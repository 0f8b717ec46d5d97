/*
 * Queues are doubly linked lists: a waiter leaves all its queues without a search, even
 * if many others wait there.
 */
#include "runtime/waiter.h"

#include <assert.h>

#include <utlist.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void waiters_lock(void)
{
    pthread_mutex_lock(&lock);
}

void waiters_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void waiter_init(struct waiter *waiter)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&waiter->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    waiter->woken = false;
    waiter->reason = 0;
    waiter->error = 0;
    waiter->count = 0;
}

static void leave_queues(struct waiter *waiter)
{
    for (size_t i = 0; i < waiter->count; i++) {
        DL_DELETE(*waiter->places[i].queue, &waiter->places[i]);
    }
    waiter->count = 0;
}

void waiter_finish(struct waiter *waiter)
{
    leave_queues(waiter);
    pthread_cond_destroy(&waiter->wake);
}

void waiter_enter(struct waiter *waiter, struct waiter_place **queue, int reason,
                  void *item)
{
    assert(waiter->count < WAITER_PLACES_MAX);
    struct waiter_place *place = &waiter->places[waiter->count++];
    *place = (struct waiter_place){
        .waiter = waiter, .queue = queue, .reason = reason, .item = item};
    DL_APPEND(*queue, place);
}

void waiter_sleep(struct waiter *waiter, const struct timespec *deadline)
{
    if (deadline != NULL) {
        pthread_cond_timedwait(&waiter->wake, &lock, deadline);
    } else {
        pthread_cond_wait(&waiter->wake, &lock);
    }
}

void waiter_wake(struct waiter_place *place, int error)
{
    struct waiter *waiter = place->waiter;
    waiter->woken = true;
    waiter->reason = place->reason;
    waiter->error = error;
    leave_queues(waiter);
    /* Under the lock, because the waiter is gone from its thread's stack as soon as
     * that thread gets the lock. */
    pthread_cond_signal(&waiter->wake);
}
