/*
 * A context says when work should end: when it is cancelled, or when its deadline
 * passes, or when that happens to its parent. It is like Go's context.Context.
 */
#ifndef LAB_RUNTIME_CONTEXT_H
#define LAB_RUNTIME_CONTEXT_H

#include <stdbool.h>
#include <time.h>

struct waiter_place;

/* The most contexts from a root to a child, both included (asserted). A thread that
 * waits with a context also waits for its ancestors. context_sleep adds a context. */
#define CONTEXT_DEPTH_MAX 8

/* Lives in memory that the caller owns. The members are private. */
struct context {
    struct context *parent;       /* NULL at the root; must outlive this one */
    unsigned depth;               /* 1 at the root */
    struct waiter_place *waiting; /* threads that wait with it or a descendant */
    bool cancelled;
    struct timespec cancelled_at; /* of CLOCK_MONOTONIC, as the deadline is */
    bool has_deadline;
    struct timespec deadline; /* its own or its parent's */
};

/* Makes a context that ends when it is cancelled or `parent` (may be NULL) ends. */
void context_init(struct context *context, struct context *parent);

/* The same, and it ends by itself after `timeout_ms` milliseconds. */
void context_init_timeout(struct context *context, struct context *parent,
                          unsigned timeout_ms);

/* Ends the context and wakes all threads that wait with it. May be called again. */
void context_cancel(struct context *context);

/* Ends the context's life. No thread may wait with it; takes NULL. */
void context_finish(struct context *context);

/* 0 while work should go on, -ECANCELED once cancelled, -ETIMEDOUT after the deadline.
 * A NULL context never ends. */
int context_error(const struct context *context);

/* Waits `ms` milliseconds. Returns 0 after the whole time, or what context_error says
 * as soon as the context ends. A NULL context never ends. */
int context_sleep(struct context *context, unsigned ms);

#endif
