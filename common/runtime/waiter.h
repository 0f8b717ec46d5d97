/*
 * A thread that waits until another thread wakes it. It may wait for several things at
 * once. Each of them has a queue of its waiters. The first one that wakes the thread
 * takes it out of all the queues. Contexts and channels use this.
 *
 * One lock guards all queues of the process. A thread that waits for several things
 * then has one lock to take, so there is no order of locks to get wrong. The lock is
 * held only to change a few pointers and to copy one value.
 */
#ifndef LAB_RUNTIME_WAITER_H
#define LAB_RUNTIME_WAITER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* The most things that one thread may wait for at once (asserted). */
#define WAITER_PLACES_MAX 24

/* A waiter's place in one queue. A queue is a pointer to its first place, NULL when
 * it is empty; the order is that of arrival. */
struct waiter_place {
    struct waiter *waiter;
    struct waiter_place **queue;
    int reason; /* given to the waiter if it is woken here */
    void *item; /* for the owner of the queue */
    struct waiter_place *next;
    struct waiter_place *prev; /* of the first: the last */
};

/* Lives on the stack of the thread that waits. */
struct waiter {
    pthread_cond_t wake;
    bool woken;
    int reason; /* of the place where it was woken */
    int error;  /* from the thread that woke it */
    size_t count;
    struct waiter_place places[WAITER_PLACES_MAX];
};

/* All functions below but waiter_init are called with the lock held. */
void waiters_lock(void);
void waiters_unlock(void);

void waiter_init(struct waiter *waiter);

/* Leaves all queues. The waiter must not be used after this. */
void waiter_finish(struct waiter *waiter);

/* Enters a queue, at its end. */
void waiter_enter(struct waiter *waiter, struct waiter_place **queue, int reason,
                  void *item);

/* Sleeps until the waiter is woken, or until `deadline` of CLOCK_MONOTONIC (NULL: no
 * deadline). May return early: the caller checks `woken`. The lock is free
 * meanwhile. */
void waiter_sleep(struct waiter *waiter, const struct timespec *deadline);

/* Takes the waiter of this place out of all its queues and wakes it. `*place` must
 * not be used after the lock is released. */
void waiter_wake(struct waiter_place *place, int error);

#endif
