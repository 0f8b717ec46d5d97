/*
 * What channel.c and context.c share and nobody else sees. One mutex guards all
 * channels and contexts of the process: a select that waits on several channels then
 * has one lock to take, so there is no order of locks to get wrong, and a value goes
 * from one thread to another in one step that nobody can see half done. The work under
 * the lock is a few pointers and one copy of a value.
 */
#ifndef LAB_RUNTIME_CHANNEL_PRIVATE_H
#define LAB_RUNTIME_CHANNEL_PRIVATE_H

struct channel;
struct channel_case;
struct context;

/* A place in the queue of a channel. The queue is a ring: the first one's previous is
 * the last. */
struct channel_waiter {
    struct wait *wait; /* of the thread that waits */
    struct channel_case *choice;
    int index; /* of the choice in its select; -1 if it is the end of a context */
    struct channel_waiter *next;
    struct channel_waiter *previous;
};

void channels_lock(void);
void channels_unlock(void);

/* channel_close and context_error for a caller that holds the lock. */
int channel_close_locked(struct channel *channel);
int context_error_locked(const struct context *context);

#endif
