/*
 * A thread that waits with a context is in its queue and in those of its ancestors.
 * A deadline needs no timer: each wait and each context_error looks at the clock.
 */
#include "runtime/context.h"

#include <assert.h>
#include <errno.h>

#include "runtime/context_private.h"
#include "runtime/waiter.h"

#define CONTEXT_ENDED (-1) /* a reason that no channel's queue has */

static bool is_before(struct timespec a, struct timespec b)
{
    return a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec);
}

static struct timespec now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time;
}

void context_init(struct context *context, struct context *parent)
{
    *context = (struct context){.parent = parent,
                                .depth = parent == NULL ? 1 : parent->depth + 1};
    assert(context->depth <= CONTEXT_DEPTH_MAX);
    if (parent != NULL) {
        /* A deadline never changes, so the child may have a copy. */
        context->has_deadline = parent->has_deadline;
        context->deadline = parent->deadline;
    }
}

void context_init_timeout(struct context *context, struct context *parent,
                          unsigned timeout_ms)
{
    context_init(context, parent);
    struct timespec deadline = now();
    deadline.tv_sec += timeout_ms / 1000;
    deadline.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000;
    }
    if (!context->has_deadline || is_before(deadline, context->deadline)) {
        context->has_deadline = true;
        context->deadline = deadline;
    }
}

void context_cancel(struct context *context)
{
    waiters_lock();
    if (!context->cancelled) {
        context->cancelled = true;
        context->cancelled_at = now();
    }
    while (context->waiting != NULL) {
        waiter_wake(context->waiting, 0);
    }
    waiters_unlock();
}

void context_finish(struct context *context)
{
    if (context != NULL) {
        /* The lock makes this wait for a cancel that is just waking the last waiter. */
        waiters_lock();
        assert(context->waiting == NULL);
        waiters_unlock();
    }
}

int context_error_locked(const struct context *context)
{
    if (context == NULL) {
        return 0;
    }
    /* What came first counts, so that the result never changes again. */
    for (const struct context *end = context; end != NULL; end = end->parent) {
        if (end->cancelled && (!context->has_deadline ||
                               is_before(end->cancelled_at, context->deadline))) {
            return -ECANCELED;
        }
    }
    if (context->has_deadline && !is_before(now(), context->deadline)) {
        return -ETIMEDOUT;
    }
    return 0;
}

int context_error(const struct context *context)
{
    waiters_lock();
    int error = context_error_locked(context);
    waiters_unlock();
    return error;
}

int context_wait_locked(struct context *context, struct waiter *waiter)
{
    const struct timespec *deadline = NULL;
    if (context != NULL && context->has_deadline) {
        deadline = &context->deadline;
    }
    for (struct context *end = context; end != NULL; end = end->parent) {
        waiter_enter(waiter, &end->waiting, CONTEXT_ENDED, NULL);
    }
    while (!waiter->woken && context_error_locked(context) == 0) {
        waiter_sleep(waiter, deadline);
    }
    /* If a channel woke it, that counts, even if the deadline has passed since. */
    if (waiter->woken && waiter->reason != CONTEXT_ENDED) {
        return waiter->reason;
    }
    return context_error_locked(context);
}

int context_sleep(struct context *context, unsigned ms)
{
    struct context nap;
    context_init_timeout(&nap, context, ms);
    struct waiter waiter;
    waiter_init(&waiter);
    waiters_lock();
    context_wait_locked(&nap, &waiter);
    waiter_finish(&waiter);
    waiters_unlock();
    context_finish(&nap);
    return context_error(context);
}
