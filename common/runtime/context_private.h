/*
 * Waiting with a context, for channel.c. The caller holds the lock of waiter.h.
 */
#ifndef LAB_RUNTIME_CONTEXT_PRIVATE_H
#define LAB_RUNTIME_CONTEXT_PRIVATE_H

#include "runtime/context.h"
#include "runtime/waiter.h"

/* context_error for a caller that holds the lock. */
int context_error_locked(const struct context *context);

/* Waits until the waiter is woken in one of its queues or the context (NULL: it never
 * ends) ends. The waiter needs CONTEXT_DEPTH_MAX free places. Returns the reason of the
 * queue's place, 0 or more, or what context_error says. */
int context_wait_locked(struct context *context, struct waiter *waiter);

#endif
