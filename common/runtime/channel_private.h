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
struct context;

void channels_lock(void);
void channels_unlock(void);

/* channel_close and context_error for a caller that holds the lock. */
int channel_close_locked(struct channel *channel);
int context_error_locked(const struct context *context);

#endif
