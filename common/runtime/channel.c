/*
 * Channels and select. A thread that must wait makes a `struct wait` on its own stack,
 * with one place in the queue of every channel that it waits on. Whoever completes it
 * copies the value, says which case was chosen, takes it out of all the queues and
 * wakes it, all under one lock: the sleeper has nothing left to do but return.
 */
#include "runtime/channel.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "runtime/channel_private.h"
#include "runtime/context.h"

/* One thread that waits. It is `done` once `chosen` has been set for it. */
struct wait {
    pthread_cond_t wake;
    bool done;
    int chosen;
    size_t count;
    struct channel_waiter places[CHANNEL_CASES_MAX + CONTEXT_DEPTH_MAX];
    struct channel_case ends[CONTEXT_DEPTH_MAX]; /* receive from done channels */
    size_t ends_count;
};

#define CONTEXT_ENDED (-1) /* an index that no case has */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void channels_lock(void)
{
    pthread_mutex_lock(&lock);
}

void channels_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void channel_init(struct channel *channel, void *buffer, size_t item_bytes,
                  size_t capacity)
{
    assert(buffer != NULL || capacity == 0 || item_bytes == 0);
    *channel = (struct channel){
        .buffer = buffer, .item_bytes = item_bytes, .capacity = capacity};
}

void channel_finish(struct channel *channel)
{
    /* The lock also makes this wait for a close that is just waking the last waiter. */
    channels_lock();
    assert(channel->senders == NULL && channel->receivers == NULL);
    *channel = (struct channel){.closed = true};
    channels_unlock();
}

static struct channel_waiter **queue_of(const struct channel_case *choice)
{
    return choice->is_send ? &choice->channel->senders : &choice->channel->receivers;
}

static void queue_append(struct channel_waiter **first, struct channel_waiter *waiter)
{
    if (*first == NULL) {
        waiter->next = waiter;
        waiter->previous = waiter;
        *first = waiter;
        return;
    }
    waiter->next = *first;
    waiter->previous = (*first)->previous;
    waiter->previous->next = waiter;
    waiter->next->previous = waiter;
}

static void queue_remove(struct channel_waiter **first, struct channel_waiter *waiter)
{
    if (waiter->next == waiter) {
        *first = NULL;
        return;
    }
    waiter->previous->next = waiter->next;
    waiter->next->previous = waiter->previous;
    if (*first == waiter) {
        *first = waiter->next;
    }
}

static void wait_leave_queues(struct wait *wait)
{
    for (size_t i = 0; i < wait->count; i++) {
        queue_remove(queue_of(wait->places[i].choice), &wait->places[i]);
    }
    wait->count = 0;
}

/* Ends the wait that `waiter` is a place of. The signal is sent under the lock, because
 * the wait is gone from its thread's stack as soon as that thread gets the lock. */
static void waiter_complete(struct channel_waiter *waiter, int error)
{
    struct wait *wait = waiter->wait;
    waiter->choice->error = error;
    wait->chosen = waiter->index;
    wait->done = true;
    wait_leave_queues(wait);
    pthread_cond_signal(&wait->wake);
}

static void item_copy(const struct channel *channel, void *to, const void *from)
{
    if (to != NULL && channel->item_bytes > 0) {
        memcpy(to, from, channel->item_bytes);
    }
}

/* Where the value is, or goes, that stands `offset` values behind the oldest one. */
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
        struct channel_waiter *receiver = channel->receivers;
        item_copy(channel, receiver->choice->item, item);
        waiter_complete(receiver, 0);
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
    struct channel_waiter *sender = channel->senders;
    if (channel->count > 0) {
        buffer_pop(channel, item);
        if (sender != NULL) {
            /* It waited for room in the buffer, behind the values that are there. */
            buffer_push(channel, sender->choice->item);
            waiter_complete(sender, 0);
        }
        return 0;
    }
    if (sender != NULL) {
        item_copy(channel, item, sender->choice->item);
        waiter_complete(sender, 0);
        return 0;
    }
    return channel->closed ? -EPIPE : -EAGAIN;
}

/* Does the first case that can go on. Returns its index, or -EAGAIN. */
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

static void wait_enter_queue(struct wait *wait, struct channel_case *choice, int index)
{
    if (choice->channel == NULL) {
        return;
    }
    assert(wait->count < sizeof(wait->places) / sizeof(wait->places[0]));
    struct channel_waiter *waiter = &wait->places[wait->count++];
    waiter->wait = wait;
    waiter->choice = choice;
    waiter->index = index;
    queue_append(queue_of(choice), waiter);
}

static void wait_init(struct wait *wait)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&wait->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    wait->done = false;
    wait->chosen = CONTEXT_ENDED;
    wait->count = 0;
    wait->ends_count = 0;
}

/* Waits on the cases and on the done channels of the context and of all its parents.
 * Returns what channel_select does. */
static int wait_locked(struct channel_case *cases, size_t count,
                       struct context *context)
{
    struct wait wait;
    wait_init(&wait);
    for (size_t i = 0; i < count; i++) {
        wait_enter_queue(&wait, &cases[i], (int)i);
    }
    for (struct context *end = context; end != NULL; end = end->parent) {
        assert(wait.ends_count < CONTEXT_DEPTH_MAX);
        struct channel_case *choice = &wait.ends[wait.ends_count++];
        *choice = (struct channel_case){.channel = &end->done};
        wait_enter_queue(&wait, choice, CONTEXT_ENDED);
    }

    /* What was asked for is looked at, and not why the thread woke: a wake-up may be
     * spurious, and a case that was chosen counts even if the deadline has passed. */
    while (!wait.done && context_error_locked(context) == 0) {
        if (context != NULL && context->has_deadline) {
            pthread_cond_timedwait(&wait.wake, &lock, &context->deadline);
        } else {
            pthread_cond_wait(&wait.wake, &lock);
        }
    }
    wait_leave_queues(&wait);
    pthread_cond_destroy(&wait.wake);
    return wait.chosen == CONTEXT_ENDED ? context_error_locked(context) : wait.chosen;
}

int channel_select(struct channel_case *cases, size_t count, struct context *context)
{
    assert(count <= CHANNEL_CASES_MAX);
    channels_lock();
    int result = context_error_locked(context);
    if (result == 0) {
        result = try_cases_locked(cases, count);
    }
    if (result == -EAGAIN) {
        result = wait_locked(cases, count, context);
    }
    channels_unlock();
    return result;
}

static int select_one(struct channel_case choice, struct context *context)
{
    int chosen = channel_select(&choice, 1, context);
    return chosen < 0 ? chosen : choice.error;
}

int channel_send(struct channel *channel, const void *item, struct context *context)
{
    /* A case has one item for both directions; that of a send is only read. */
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
    channels_lock();
    int error = try_send_locked(channel, item);
    channels_unlock();
    return error;
}

int channel_try_receive(struct channel *channel, void *item)
{
    channels_lock();
    int error = try_receive_locked(channel, item);
    channels_unlock();
    return error;
}

size_t channel_length(struct channel *channel)
{
    if (channel == NULL) {
        return 0;
    }
    channels_lock();
    size_t count = channel->count;
    channels_unlock();
    return count;
}

int channel_close_locked(struct channel *channel)
{
    if (channel->closed) {
        return -EPIPE;
    }
    channel->closed = true;
    while (channel->receivers != NULL) {
        waiter_complete(channel->receivers, -EPIPE);
    }
    while (channel->senders != NULL) {
        waiter_complete(channel->senders, -EPIPE);
    }
    return 0;
}

int channel_close(struct channel *channel)
{
    assert(channel != NULL);
    channels_lock();
    int error = channel_close_locked(channel);
    channels_unlock();
    return error;
}
