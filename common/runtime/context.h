/*
 * A context says when work should end: when it is cancelled, or when its deadline
 * passes, or when that happens to its parent. It is what Go's context.Context is.
 */
#ifndef LAB_RUNTIME_CONTEXT_H
#define LAB_RUNTIME_CONTEXT_H

#include <stdbool.h>
#include <time.h>

#include "runtime/channel.h"

/* Lives in memory that the caller owns. The members are private. */
struct context {
    struct context *parent; /* NULL at the root; must outlive this one */
    struct channel done;    /* closed by context_cancel; carries no values */
    bool has_deadline;
    struct timespec deadline; /* of CLOCK_MONOTONIC */
};

/* Makes a context that ends when it is cancelled or `parent` (may be NULL) ends. */
void context_init(struct context *context, struct context *parent);

/* The same, and it ends by itself after `timeout_ms` milliseconds. */
void context_init_timeout(struct context *context, struct context *parent,
                          unsigned timeout_ms);

/* Ends the context and wakes everyone who waits on it. May be called again. */
void context_cancel(struct context *context);

/* Ends the context's life. Nobody may be waiting on it; takes NULL. */
void context_finish(struct context *context);

/* 0 while work should go on, -ECANCELED once cancelled, -ETIMEDOUT once late.
 * A NULL context never ends. */
int context_error(const struct context *context);

/* Waits `ms` milliseconds. Returns 0 after the whole time, or what context_error says
 * as soon as the context ends. A NULL context never ends. */
int context_sleep(struct context *context, unsigned ms);

#endif
