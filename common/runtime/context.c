/*
 * Contexts. One is cancelled by closing its done channel, on which everyone who waits
 * with it or with a child of it waits too. A deadline needs no timer: whoever waits, or
 * asks, looks at the clock.
 */
#include "runtime/context.h"

#include <assert.h>
#include <errno.h>

#include "runtime/channel_private.h"

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
    channel_init(&context->done, NULL, 0, 0);
    if (parent != NULL) {
        /* Neither changes once it is set, so a child's copy is as good as a look. */
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
    channels_lock();
    if (!context->done.closed) {
        context->cancelled = now();
        channel_close_locked(&context->done);
    }
    channels_unlock();
}

void context_finish(struct context *context)
{
    if (context != NULL) {
        channel_finish(&context->done);
    }
}

int context_error_locked(const struct context *context)
{
    if (context == NULL) {
        return 0;
    }
    /* Late or cancelled, whichever came first: the answer never changes again. */
    for (const struct context *end = context; end != NULL; end = end->parent) {
        if (end->done.closed &&
            (!context->has_deadline || is_before(end->cancelled, context->deadline))) {
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
    channels_lock();
    int error = context_error_locked(context);
    channels_unlock();
    return error;
}

int context_sleep(struct context *context, unsigned ms)
{
    struct context nap;
    context_init_timeout(&nap, context, ms);
    channel_select(NULL, 0, &nap);
    context_finish(&nap);
    return context_error(context);
}
