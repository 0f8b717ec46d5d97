/*
 * A channel carries values of one size from thread to thread, as a Go channel does:
 * unbuffered (a send waits for its receiver) or buffered (a send waits while the
 * buffer is full). Source of the rules: the Go specification, "Channel types", "Send
 * statements", "Receive operator", "Select statements" and "Close".
 */
#ifndef LAB_RUNTIME_CHANNEL_H
#define LAB_RUNTIME_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>

struct context;
struct waiter_place;

/* The most cases that one select may have (asserted): a thread that waits keeps its
 * places in the queues on its own stack. */
#define CHANNEL_CASES_MAX 16

/* Lives in memory that the caller owns. The members are private. A pointer to a channel
 * may be NULL: that is Go's nil channel, on which every send and receive waits for ever
 * (or until the context ends). */
struct channel {
    unsigned char *buffer; /* capacity * item_bytes, the caller's */
    size_t item_bytes;
    size_t capacity; /* 0: unbuffered */
    size_t count;    /* values in the buffer */
    size_t first;    /* index of the oldest of them */
    bool closed;
    struct waiter_place *senders; /* threads that wait to send, longest first */
    struct waiter_place *receivers;
};

/* Makes a channel for values of `item_bytes` (0: a channel of signals). `buffer` has
 * room for `capacity` values, stays the caller's, and may be NULL if capacity is 0. */
void channel_init(struct channel *channel, void *buffer, size_t item_bytes,
                  size_t capacity);

/* Ends the channel's life. No thread may wait on it. */
void channel_finish(struct channel *channel);

/* No more values will be sent: receivers get what is buffered, then -EPIPE; waiting
 * senders get -EPIPE. Returns -EPIPE if it was closed before (Go panics). */
int channel_close(struct channel *channel);

/* Copies *item to one receiver or into the buffer; waits until that is possible.
 * Returns 0, -EPIPE if the channel is closed (Go panics), or what context_error says
 * if `context` (NULL: wait for ever) ends first. */
int channel_send(struct channel *channel, const void *item, struct context *context);

/* Copies the oldest value to *item (may be NULL: dropped); waits until there is one.
 * Returns 0, -EPIPE if the channel is closed and empty, or what context_error says. */
int channel_receive(struct channel *channel, void *item, struct context *context);

/* Send and receive that never wait: -EAGAIN where the others would wait. */
int channel_try_send(struct channel *channel, const void *item);
int channel_try_receive(struct channel *channel, void *item);

/* How many values are buffered now. */
size_t channel_length(struct channel *channel);

/* One case of a select. */
struct channel_case {
    struct channel *channel; /* NULL: never ready */
    bool is_send;
    void *item; /* what to send, or where to receive (may be NULL) */
    int error;  /* set for the case that was chosen: 0 or -EPIPE */
};

/* Waits until one of the cases is ready, and does it. If several are ready, takes the
 * first one in the given order (Go takes one at random). Returns its index, or what
 * context_error says. A context that has ended comes before any case, so that cancelled
 * work ends. With no cases, this waits until the context ends. */
int channel_select(struct channel_case *cases, size_t count, struct context *context);

#endif
