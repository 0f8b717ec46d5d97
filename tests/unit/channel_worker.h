/*
 * Shared by the tests of channels: threads that send, receive or select, and a count of
 * the waiting ones.
 */
#ifndef LAB_TESTS_CHANNEL_WORKER_H
#define LAB_TESTS_CHANNEL_WORKER_H

#include <stdatomic.h>

#include "runtime/channel.h"
#include "runtime/context.h"
#include "runtime/waiter.h"
#include "unit.h"

/* One thread that sends, receives or selects, and its result. */
struct worker {
    struct channel *channel;
    struct context *context;
    struct channel_case *cases; /* of a select */
    size_t count;
    int value; /* sent or received */
    int result;
    atomic_bool ended;
    pthread_t thread;
};

static inline void *worker_send(void *argument)
{
    struct worker *worker = argument;
    worker->result = channel_send(worker->channel, &worker->value, worker->context);
    atomic_store(&worker->ended, true);
    return NULL;
}

static inline void *worker_receive(void *argument)
{
    struct worker *worker = argument;
    worker->result = channel_receive(worker->channel, &worker->value, worker->context);
    atomic_store(&worker->ended, true);
    return NULL;
}

static inline size_t queue_length(const struct waiter_place *first)
{
    size_t length = 0;
    for (const struct waiter_place *place = first; place != NULL; place = place->next) {
        length++;
    }
    return length;
}

static inline size_t waiting(const struct channel *channel)
{
    waiters_lock();
    size_t count = queue_length(channel->senders) + queue_length(channel->receivers);
    waiters_unlock();
    return count;
}

struct expected {
    const struct channel *channel;
    size_t waiting;
};

static inline bool is_as_expected(void *argument)
{
    struct expected *expected = argument;
    return waiting(expected->channel) == expected->waiting;
}

static inline void wait_for_waiting(const struct channel *channel, size_t count)
{
    struct expected expected = {.channel = channel, .waiting = count};
    unit_wait_until(is_as_expected, &expected);
}

static inline int receive_int(struct channel *channel)
{
    int value = -1;
    assert_int_equal(channel_receive(channel, &value, NULL), 0);
    return value;
}

/* Starts threads one by one, so that they wait in the order of the array. */
static inline void workers_start(struct worker *workers, size_t count,
                                 struct channel *channel, struct context *context,
                                 void *(*run)(void *))
{
    size_t before = waiting(channel);
    for (size_t i = 0; i < count; i++) {
        workers[i] = (struct worker){
            .channel = channel, .context = context, .value = (int)(100 + i)};
        workers[i].thread = unit_thread(run, &workers[i]);
        wait_for_waiting(channel, before + i + 1);
    }
}

static inline void workers_join(struct worker *workers, size_t count, int result)
{
    for (size_t i = 0; i < count; i++) {
        unit_join(workers[i].thread);
        assert_int_equal(workers[i].result, result);
    }
}

#endif
