/*
 * Channels and select. A thread that must wait is in the queue of every channel of its
 * select. The thread that completes the select copies the value and wakes it. Both
 * happen under one lock, so that no third thread sees a value half transferred.
 */
#include "runtime/channel.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "runtime/context_private.h"
#include "runtime/waiter.h"

_Static_assert(CHANNEL_CASES_MAX + CONTEXT_DEPTH_MAX <= WAITER_PLACES_MAX,
               "a select has room for its cases and its contexts");

void channel_init(struct channel *channel, void *buffer, size_t item_bytes,
                  size_t capacity)
{
    assert(buffer != NULL || capacity == 0 || item_bytes == 0);
    *channel = (struct channel){
        .buffer = buffer, .item_bytes = item_bytes, .capacity = capacity};
}

void channel_finish(struct channel *channel)
{
    /* The lock makes this wait for a close that is just waking the last waiter. */
    waiters_lock();
    assert(channel->senders == NULL && channel->receivers == NULL);
    *channel = (struct channel){.closed = true};
    waiters_unlock();
}

static void item_copy(const struct channel *channel, void *to, const void *from)
{
    if (to != NULL && channel->item_bytes > 0) {
        memcpy(to, from, channel->item_bytes);
    }
}

/* The place in the buffer for the value that is `offset` values after the oldest. */
static void *buffer_slot(const struct channel *channel, size_t offset)
{
    if (channel->item_bytes == 0) {
        return NULL;
    }
    size_t index = (channel->first + offset) % channel->capacity;
    return channel->buffer + index * channel->item_bytes;
}

static void buffer_push(struct channel *channel, const void *item)
{
    item_copy(channel, buffer_slot(channel, channel->count), item);
    channel->count++;
}

static void buffer_pop(struct channel *channel, void *item)
{
    item_copy(channel, item, buffer_slot(channel, 0));
    channel->first = (channel->first + 1) % channel->capacity;
    channel->count--;
}

static int try_send_locked(struct channel *channel, const void *item)
{
    if (channel == NULL) {
        return -EAGAIN;
    }
    assert(item != NULL || channel->item_bytes == 0);
    if (channel->closed) {
        return -EPIPE;
    }
    if (channel->receivers != NULL) {
        struct waiter_place *receiver = channel->receivers;
        item_copy(channel, receiver->item, item);
        waiter_wake(receiver, 0);
        return 0;
    }
    if (channel->count < channel->capacity) {
        buffer_push(channel, item);
        return 0;
    }
    return -EAGAIN;
}

static int try_receive_locked(struct channel *channel, void *item)
{
    if (channel == NULL) {
        return -EAGAIN;
    }
    struct waiter_place *sender = channel->senders;
    if (channel->count > 0) {
        buffer_pop(channel, item);
        if (sender != NULL) {
            /* It waited for room in the buffer; its value comes after the others. */
            buffer_push(channel, sender->item);
            waiter_wake(sender, 0);
        }
        return 0;
    }
    if (sender != NULL) {
        item_copy(channel, item, sender->item);
        waiter_wake(sender, 0);
        return 0;
    }
    return channel->closed ? -EPIPE : -EAGAIN;
}

/* Does the first case that is ready. Returns its index, or -EAGAIN. */
static int try_cases_locked(struct channel_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct channel_case *choice = &cases[i];
        int error = choice->is_send ? try_send_locked(choice->channel, choice->item)
                                    : try_receive_locked(choice->channel, choice->item);
        if (error != -EAGAIN) {
            choice->error = error;
            return (int)i;
        }
    }
    return -EAGAIN;
}

/* Waits until another thread does one of the cases, or the context ends. Returns what
 * channel_select does. */
static int wait_locked(struct channel_case *cases, size_t count,
                       struct context *context)
{
    struct waiter waiter;
    waiter_init(&waiter);
    for (size_t i = 0; i < count; i++) {
        struct channel *channel = cases[i].channel;
        if (channel != NULL) {
            waiter_enter(&waiter,
                         cases[i].is_send ? &channel->senders : &channel->receivers,
                         (int)i, cases[i].item);
        }
    }
    int chosen = context_wait_locked(context, &waiter);
    if (chosen >= 0) {
        cases[chosen].error = waiter.error;
    }
    waiter_finish(&waiter);
    return chosen;
}

int channel_select(struct channel_case *cases, size_t count, struct context *context)
{
    assert(count <= CHANNEL_CASES_MAX);
    waiters_lock();
    int chosen = context_error_locked(context);
    if (chosen == 0) {
        chosen = try_cases_locked(cases, count);
    }
    if (chosen == -EAGAIN) {
        chosen = wait_locked(cases, count, context);
    }
    waiters_unlock();
    return chosen;
}

static int select_one(struct channel_case choice, struct context *context)
{
    int chosen = channel_select(&choice, 1, context);
    return chosen < 0 ? chosen : choice.error;
}

int channel_send(struct channel *channel, const void *item, struct context *context)
{
    /* A case has one `item` for both directions. A send only reads it. */
    return select_one((struct channel_case){.channel = channel,
                                            .is_send = true,
                                            .item = (void *)item},
                      context);
}

int channel_receive(struct channel *channel, void *item, struct context *context)
{
    return select_one((struct channel_case){.channel = channel, .item = item}, context);
}

int channel_try_send(struct channel *channel, const void *item)
{
    waiters_lock();
    int error = try_send_locked(channel, item);
    waiters_unlock();
    return error;
}

int channel_try_receive(struct channel *channel, void *item)
{
    waiters_lock();
    int error = try_receive_locked(channel, item);
    waiters_unlock();
    return error;
}

size_t channel_length(struct channel *channel)
{
    if (channel == NULL) {
        return 0;
    }
    waiters_lock();
    size_t count = channel->count;
    waiters_unlock();
    return count;
}

int channel_close(struct channel *channel)
{
    assert(channel != NULL);
    waiters_lock();
    int error = channel->closed ? -EPIPE : 0;
    channel->closed = true;
    while (channel->receivers != NULL) {
        waiter_wake(channel->receivers, -EPIPE);
    }
    while (channel->senders != NULL) {
        waiter_wake(channel->senders, -EPIPE);
    }
    waiters_unlock();
    return error;
}
