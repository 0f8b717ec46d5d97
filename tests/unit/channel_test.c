/*
 * Channels and select: the rules of the Go specification, what a context ends, and that
 * among many threads every value arrives exactly once.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/channel.h"
#include "runtime/context.h"
#include "runtime/waiter.h"
#include "unit.h"

/* One thread that sends, receives or selects, and what came of it. */
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

static void *worker_send(void *argument)
{
    struct worker *worker = argument;
    worker->result = channel_send(worker->channel, &worker->value, worker->context);
    atomic_store(&worker->ended, true);
    return NULL;
}

static void *worker_receive(void *argument)
{
    struct worker *worker = argument;
    worker->result = channel_receive(worker->channel, &worker->value, worker->context);
    atomic_store(&worker->ended, true);
    return NULL;
}

static void *worker_select(void *argument)
{
    struct worker *worker = argument;
    worker->result = channel_select(worker->cases, worker->count, worker->context);
    atomic_store(&worker->ended, true);
    return NULL;
}

static size_t queue_length(const struct waiter_place *first)
{
    size_t length = 0;
    for (const struct waiter_place *place = first; place != NULL; place = place->next) {
        length++;
    }
    return length;
}

static size_t waiting(const struct channel *channel)
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

static bool is_as_expected(void *argument)
{
    struct expected *expected = argument;
    return waiting(expected->channel) == expected->waiting;
}

static void wait_for_waiting(const struct channel *channel, size_t count)
{
    struct expected expected = {.channel = channel, .waiting = count};
    unit_wait_until(is_as_expected, &expected);
}

static int receive_int(struct channel *channel)
{
    int value = -1;
    assert_int_equal(channel_receive(channel, &value, NULL), 0);
    return value;
}

static void buffered_keeps_order(void **state)
{
    (void)state;
    int buffer[3];
    struct channel channel;
    channel_init(&channel, buffer, sizeof(int), 3);
    assert_int_equal(channel_length(&channel), 0);
    assert_int_equal(channel_try_receive(&channel, NULL), -EAGAIN);
    /* More turns than places, so that the ring comes round at every offset. */
    for (int i = 0; i < 20; i += 2) {
        for (int j = i; j < i + 3; j++) {
            assert_int_equal(channel_send(&channel, &j, NULL), 0);
        }
        assert_int_equal(channel_length(&channel), 3);
        assert_int_equal(channel_try_send(&channel, &i), -EAGAIN);
        assert_int_equal(receive_int(&channel), i);
        assert_int_equal(receive_int(&channel), i + 1);
        int value = -1;
        assert_int_equal(channel_try_receive(&channel, &value), 0);
        assert_int_equal(value, i + 2);
    }
    channel_finish(&channel);
}

static void buffered_signals_need_no_buffer(void **state)
{
    (void)state;
    struct channel channel;
    channel_init(&channel, NULL, 0, 2);
    assert_int_equal(channel_try_send(&channel, NULL), 0);
    assert_int_equal(channel_try_send(&channel, NULL), 0);
    assert_int_equal(channel_try_send(&channel, NULL), -EAGAIN);
    assert_int_equal(channel_receive(&channel, NULL, NULL), 0);
    assert_int_equal(channel_length(&channel), 1);
    assert_int_equal(channel_receive(&channel, NULL, NULL), 0);
    assert_int_equal(channel_try_receive(&channel, NULL), -EAGAIN);
    channel_finish(&channel);
}

static void value_may_be_dropped(void **state)
{
    (void)state;
    int buffer[2];
    struct channel channel;
    channel_init(&channel, buffer, sizeof(int), 2);
    for (int i = 1; i <= 2; i++) {
        assert_int_equal(channel_send(&channel, &i, NULL), 0);
    }
    assert_int_equal(channel_receive(&channel, NULL, NULL), 0);
    assert_int_equal(receive_int(&channel), 2);
    channel_finish(&channel);
}

static void unbuffered_send_waits_for_receiver(void **state)
{
    (void)state;
    struct channel channel;
    channel_init(&channel, NULL, sizeof(int), 0);
    int value = 1;
    assert_int_equal(channel_try_send(&channel, &value), -EAGAIN);
    assert_int_equal(channel_try_receive(&channel, &value), -EAGAIN);

    struct worker sender = {.channel = &channel, .value = 7};
    sender.thread = unit_thread(worker_send, &sender);
    wait_for_waiting(&channel, 1);
    unit_sleep_ms(10);
    assert_false(atomic_load(&sender.ended));
    assert_int_equal(channel_length(&channel), 0);
    assert_int_equal(receive_int(&channel), 7);
    unit_join(sender.thread);
    assert_int_equal(sender.result, 0);
    assert_int_equal(waiting(&channel), 0);
    channel_finish(&channel);
}

static void receiver_waits_for_value(void **state)
{
    (void)state;
    int buffer[2];
    for (size_t capacity = 0; capacity <= 2; capacity += 2) {
        struct channel channel;
        channel_init(&channel, buffer, sizeof(int), capacity);
        struct worker receiver = {.channel = &channel};
        receiver.thread = unit_thread(worker_receive, &receiver);
        wait_for_waiting(&channel, 1);
        int value = 9;
        assert_int_equal(channel_try_send(&channel, &value), 0);
        /* It went to the receiver, so none is left in the buffer. */
        assert_int_equal(channel_length(&channel), 0);
        unit_join(receiver.thread);
        assert_int_equal(receiver.result, 0);
        assert_int_equal(receiver.value, 9);
        channel_finish(&channel);
    }
}

/* Starts threads one by one, so that they wait in the order of the array. */
static void workers_start(struct worker *workers, size_t count, struct channel *channel,
                          struct context *context, void *(*run)(void *))
{
    size_t before = waiting(channel);
    for (size_t i = 0; i < count; i++) {
        workers[i] = (struct worker){
            .channel = channel, .context = context, .value = (int)(100 + i)};
        workers[i].thread = unit_thread(run, &workers[i]);
        wait_for_waiting(channel, before + i + 1);
    }
}

static void workers_join(struct worker *workers, size_t count, int result)
{
    for (size_t i = 0; i < count; i++) {
        unit_join(workers[i].thread);
        assert_int_equal(workers[i].result, result);
    }
}

static void longest_waiting_goes_first(void **state)
{
    (void)state;
    int buffer[1];
    for (size_t capacity = 0; capacity <= 1; capacity++) {
        struct channel channel;
        channel_init(&channel, buffer, sizeof(int), capacity);
        int first = 99;
        if (capacity == 1) {
            assert_int_equal(channel_send(&channel, &first, NULL), 0);
        }
        struct worker workers[4];
        workers_start(workers, 4, &channel, NULL, worker_send);
        for (int i = capacity == 1 ? 99 : 100; i < 104; i++) {
            assert_int_equal(receive_int(&channel), i);
        }
        workers_join(workers, 4, 0);
        assert_int_equal(channel_length(&channel), 0);

        workers_start(workers, 4, &channel, NULL, worker_receive);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(channel_send(&channel, &i, NULL), 0);
        }
        workers_join(workers, 4, 0);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(workers[i].value, i);
        }
        channel_finish(&channel);
    }
}

static void room_in_buffer_ends_wait(void **state)
{
    (void)state;
    int buffer[1];
    struct channel channel;
    channel_init(&channel, buffer, sizeof(int), 1);
    int value = 1;
    assert_int_equal(channel_send(&channel, &value, NULL), 0);
    struct worker sender;
    workers_start(&sender, 1, &channel, NULL, worker_send);
    assert_int_equal(receive_int(&channel), 1);
    workers_join(&sender, 1, 0);
    assert_int_equal(channel_length(&channel), 1);
    assert_int_equal(receive_int(&channel), 100);
    channel_finish(&channel);
}

static void closed_channel_gives_what_is_left(void **state)
{
    (void)state;
    int buffer[3];
    struct channel channel;
    channel_init(&channel, buffer, sizeof(int), 3);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(channel_send(&channel, &i, NULL), 0);
    }
    assert_int_equal(channel_close(&channel), 0);
    assert_int_equal(channel_close(&channel), -EPIPE);
    int value = 5;
    assert_int_equal(channel_send(&channel, &value, NULL), -EPIPE);
    assert_int_equal(channel_try_send(&channel, &value), -EPIPE);
    assert_int_equal(receive_int(&channel), 0);
    assert_int_equal(receive_int(&channel), 1);
    assert_int_equal(channel_receive(&channel, &value, NULL), -EPIPE);
    assert_int_equal(channel_try_receive(&channel, &value), -EPIPE);
    assert_int_equal(value, 5);
    channel_finish(&channel);
}

static void close_wakes_all(void **state)
{
    (void)state;
    int buffer[1] = {0};
    struct worker workers[5];
    struct channel channel;
    channel_init(&channel, NULL, sizeof(int), 0);
    workers_start(workers, 5, &channel, NULL, worker_receive);
    assert_int_equal(channel_close(&channel), 0);
    workers_join(workers, 5, -EPIPE);
    channel_finish(&channel);

    channel_init(&channel, buffer, sizeof(int), 1);
    int value = 1;
    assert_int_equal(channel_send(&channel, &value, NULL), 0);
    workers_start(workers, 5, &channel, NULL, worker_send);
    assert_int_equal(channel_close(&channel), 0);
    workers_join(workers, 5, -EPIPE);
    /* What waited to be sent was not, and what was buffered still is. */
    assert_int_equal(receive_int(&channel), 1);
    assert_int_equal(channel_try_receive(&channel, &value), -EPIPE);
    channel_finish(&channel);
}

static void null_channel_is_never_ready(void **state)
{
    (void)state;
    int value = 1;
    assert_int_equal(channel_try_send(NULL, &value), -EAGAIN);
    assert_int_equal(channel_try_receive(NULL, &value), -EAGAIN);
    assert_int_equal(channel_length(NULL), 0);
    struct context context;
    context_init_timeout(&context, NULL, 20);
    long start = unit_now_ms();
    assert_int_equal(channel_send(NULL, &value, &context), -ETIMEDOUT);
    assert_true(unit_now_ms() - start >= 19);
    context_finish(&context);
    context_init_timeout(&context, NULL, 20);
    assert_int_equal(channel_receive(NULL, &value, &context), -ETIMEDOUT);
    context_finish(&context);
}

static void select_takes_first_that_is_ready(void **state)
{
    (void)state;
    int buffers[3][1];
    struct channel channels[3];
    for (int i = 0; i < 3; i++) {
        channel_init(&channels[i], buffers[i], sizeof(int), 1);
    }
    int value = 6;
    int got[2] = {-1, -1};
    struct channel_case cases[] = {
        {.channel = NULL, .error = 1},
        {.channel = &channels[0], .item = &got[0], .error = 1},
        {.channel = &channels[1], .item = &got[1], .error = 1},
        {.channel = &channels[2], .is_send = true, .item = &value, .error = 1},
    };
    assert_int_equal(channel_select(cases, 4, NULL), 3);
    assert_int_equal(cases[3].error, 0);
    assert_int_equal(receive_int(&channels[2]), 6);

    assert_int_equal(channel_send(&channels[1], &value, NULL), 0);
    assert_int_equal(channel_select(cases, 4, NULL), 2);
    assert_int_equal(cases[2].error, 0);
    assert_int_equal(got[1], 6);

    assert_int_equal(channel_close(&channels[0]), 0);
    assert_int_equal(channel_select(cases, 4, NULL), 1);
    assert_int_equal(cases[1].error, -EPIPE);
    assert_int_equal(got[0], -1);
    assert_int_equal(cases[0].error, 1);
    for (int i = 0; i < 3; i++) {
        channel_finish(&channels[i]);
    }
}

/* What ends the wait of the select below. */
static void act_on(struct channel *channels, size_t chosen)
{
    int value = 40 + (int)chosen;
    if (chosen == 0) {
        assert_int_equal(channel_try_send(&channels[0], &value), 0);
    } else if (chosen == 1) {
        assert_int_equal(receive_int(&channels[1]), 77);
    } else {
        assert_int_equal(channel_close(&channels[2]), 0);
    }
}

static void waiting_select_takes_one_and_leaves_others(void **state)
{
    (void)state;
    for (size_t chosen = 0; chosen < 3; chosen++) {
        struct channel channels[3];
        for (int i = 0; i < 3; i++) {
            channel_init(&channels[i], NULL, sizeof(int), 0);
        }
        int sent = 77;
        int got[2] = {-1, -1};
        struct channel_case cases[] = {
            {.channel = &channels[0], .item = &got[0], .error = 1},
            {.channel = &channels[1], .is_send = true, .item = &sent, .error = 1},
            {.channel = &channels[2], .item = &got[1], .error = 1},
            {.channel = NULL, .error = 1},
        };
        struct worker worker = {.cases = cases, .count = 4};
        worker.thread = unit_thread(worker_select, &worker);
        wait_for_waiting(&channels[2], 1);
        unit_sleep_ms(2);
        assert_false(atomic_load(&worker.ended));
        act_on(channels, chosen);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(waiting(&channels[i]), 0);
        }
        unit_join(worker.thread);
        assert_int_equal(worker.result, chosen);
        assert_int_equal(got[0], chosen == 0 ? 40 : -1);
        for (size_t i = 0; i < 4; i++) {
            int error = chosen == 2 ? -EPIPE : 0;
            assert_int_equal(cases[i].error, i == chosen ? error : 1);
        }
    }
}

static void select_may_name_a_channel_twice(void **state)
{
    (void)state;
    struct channel channel;
    channel_init(&channel, NULL, sizeof(int), 0);
    int sent = 3;
    int got = -1;
    struct channel_case cases[] = {
        {.channel = &channel, .is_send = true, .item = &sent},
        {.channel = &channel, .item = &got},
        {.channel = &channel, .item = &got},
    };
    struct context context;
    context_init_timeout(&context, NULL, 10);
    /* It is not its own counterpart. */
    assert_int_equal(channel_select(cases, 3, &context), -ETIMEDOUT);
    assert_int_equal(waiting(&channel), 0);
    context_finish(&context);

    struct worker worker = {.cases = cases, .count = 3};
    worker.thread = unit_thread(worker_select, &worker);
    wait_for_waiting(&channel, 3);
    int value = 8;
    assert_int_equal(channel_try_send(&channel, &value), 0);
    assert_int_equal(waiting(&channel), 0);
    unit_join(worker.thread);
    assert_int_equal(worker.result, 1);
    assert_int_equal(got, 8);
    channel_finish(&channel);
}

static void select_has_room_for_all_it_may_have(void **state)
{
    (void)state;
    struct channel channel;
    channel_init(&channel, NULL, 0, 0);
    struct channel_case cases[CHANNEL_CASES_MAX];
    for (size_t i = 0; i < CHANNEL_CASES_MAX; i++) {
        cases[i] = (struct channel_case){.channel = &channel};
    }
    struct context line[CONTEXT_DEPTH_MAX];
    for (size_t i = 0; i < CONTEXT_DEPTH_MAX; i++) {
        context_init(&line[i], i == 0 ? NULL : &line[i - 1]);
    }
    struct worker worker = {.cases = cases,
                            .count = CHANNEL_CASES_MAX,
                            .context = &line[CONTEXT_DEPTH_MAX - 1]};
    worker.thread = unit_thread(worker_select, &worker);
    wait_for_waiting(&channel, CHANNEL_CASES_MAX);
    context_cancel(&line[0]);
    unit_join(worker.thread);
    assert_int_equal(worker.result, -ECANCELED);
    for (size_t i = CONTEXT_DEPTH_MAX; i > 0; i--) {
        context_finish(&line[i - 1]);
    }
    channel_finish(&channel);
}

static void deadline_ends_waits(void **state)
{
    (void)state;
    int buffer[1];
    struct channel channel;
    channel_init(&channel, buffer, sizeof(int), 1);
    struct context context;
    context_init_timeout(&context, NULL, 20);
    int value = 1;
    long start = unit_now_ms();
    assert_int_equal(channel_receive(&channel, &value, &context), -ETIMEDOUT);
    assert_true(unit_now_ms() - start >= 19);
    assert_int_equal(waiting(&channel), 0);
    context_finish(&context);

    assert_int_equal(channel_send(&channel, &value, NULL), 0);
    context_init_timeout(&context, NULL, 20);
    assert_int_equal(channel_send(&channel, &value, &context), -ETIMEDOUT);
    assert_int_equal(waiting(&channel), 0);
    assert_int_equal(channel_length(&channel), 1);
    context_finish(&context);
    channel_finish(&channel);
}

static void cancel_ends_waits(void **state)
{
    (void)state;
    struct channel channel;
    channel_init(&channel, NULL, sizeof(int), 0);
    for (int turn = 0; turn < 2; turn++) {
        struct context parent;
        struct context child;
        context_init(&parent, NULL);
        context_init_timeout(&child, &parent, 60000);
        struct worker workers[4];
        workers_start(workers, 4, &channel, &child,
                      turn == 0 ? worker_send : worker_receive);
        struct worker other;
        workers_start(&other, 1, &channel, NULL,
                      turn == 0 ? worker_send : worker_receive);
        context_cancel(&parent);
        workers_join(workers, 4, -ECANCELED);
        assert_int_equal(waiting(&channel), 1);
        context_finish(&child);
        context_finish(&parent);
        /* The one without a context is still there, and still works. */
        int value = 5;
        assert_int_equal(turn == 0 ? channel_try_receive(&channel, &value)
                                   : channel_try_send(&channel, &value),
                         0);
        workers_join(&other, 1, 0);
    }
    channel_finish(&channel);
}

static void ended_context_goes_before_ready_case(void **state)
{
    (void)state;
    int buffer[2];
    struct channel channel;
    channel_init(&channel, buffer, sizeof(int), 2);
    int value = 4;
    assert_int_equal(channel_send(&channel, &value, NULL), 0);
    struct context context;
    context_init(&context, NULL);
    context_cancel(&context);
    assert_int_equal(channel_send(&channel, &value, &context), -ECANCELED);
    assert_int_equal(channel_receive(&channel, &value, &context), -ECANCELED);
    assert_int_equal(channel_select(NULL, 0, &context), -ECANCELED);
    assert_int_equal(channel_length(&channel), 1);
    context_finish(&context);
    channel_finish(&channel);
}

static void on_signal(int signal)
{
    (void)signal;
}

static void signals_do_not_end_waits(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    assert_int_equal(sigaction(SIGRTMIN + 2, &action, NULL), 0);
    struct channel channel;
    channel_init(&channel, NULL, sizeof(int), 0);
    struct context context;
    context_init_timeout(&context, NULL, 60000);
    struct worker workers[2];
    workers_start(&workers[0], 1, &channel, NULL, worker_receive);
    workers_start(&workers[1], 1, &channel, &context, worker_receive);
    for (int i = 0; i < 20; i++) {
        pthread_kill(workers[0].thread, SIGRTMIN + 2);
        pthread_kill(workers[1].thread, SIGRTMIN + 2);
        unit_sleep_ms(1);
    }
    assert_int_equal(waiting(&channel), 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(channel_try_send(&channel, &i), 0);
    }
    workers_join(workers, 2, 0);
    context_finish(&context);
    channel_finish(&channel);
}

/* ---- many threads ---- */

#define CROWD 4        /* senders, and as many receivers */
#define PER_SENDER 800 /* values */

struct crowd {
    struct channel *channels; /* each value goes through any of them */
    size_t count;
    atomic_int next;                          /* the next value to send */
    atomic_uchar arrived[CROWD * PER_SENDER]; /* how often each did */
    atomic_int failures;
};

/* Puts `value` into any channel, the order of the cases being that of `turn`. */
static void crowd_send(struct crowd *crowd, int value, size_t turn)
{
    struct channel_case cases[2];
    for (size_t i = 0; i < crowd->count; i++) {
        cases[i] = (struct channel_case){
            .channel = &crowd->channels[(i + turn) % crowd->count],
            .is_send = true,
            .item = &value};
    }
    int chosen = channel_select(cases, crowd->count, NULL);
    if (chosen < 0 || cases[chosen].error != 0) {
        atomic_fetch_add(&crowd->failures, 1);
    }
}

static void *crowd_sender(void *argument)
{
    struct crowd *crowd = argument;
    for (size_t i = 0; i < PER_SENDER; i++) {
        crowd_send(crowd, atomic_fetch_add(&crowd->next, 1), i);
    }
    return NULL;
}

/* Receives from all channels until all are closed and empty: then it sets them to NULL
 * one after the other, as one does in Go. */
static void *crowd_receiver(void *argument)
{
    struct crowd *crowd = argument;
    int value = -1;
    struct channel_case cases[2];
    for (size_t i = 0; i < crowd->count; i++) {
        cases[i] =
            (struct channel_case){.channel = &crowd->channels[i], .item = &value};
    }
    size_t open = crowd->count;
    while (open > 0) {
        int chosen = channel_select(cases, crowd->count, NULL);
        if (chosen < 0) {
            atomic_fetch_add(&crowd->failures, 1);
            break;
        }
        if (cases[chosen].error == -EPIPE) {
            cases[chosen].channel = NULL;
            open--;
        } else {
            atomic_fetch_add(&crowd->arrived[value], 1);
        }
    }
    return NULL;
}

static void crowd_run(size_t channel_count, size_t capacity)
{
    static struct crowd crowd;
    int buffers[2][8];
    struct channel channels[2];
    memset(&crowd, 0, sizeof(crowd));
    crowd.channels = channels;
    crowd.count = channel_count;
    for (size_t i = 0; i < channel_count; i++) {
        channel_init(&channels[i], buffers[i], sizeof(int), capacity);
    }
    pthread_t senders[CROWD];
    pthread_t receivers[CROWD];
    for (int i = 0; i < CROWD; i++) {
        senders[i] = unit_thread(crowd_sender, &crowd);
        receivers[i] = unit_thread(crowd_receiver, &crowd);
    }
    for (int i = 0; i < CROWD; i++) {
        unit_join(senders[i]);
    }
    for (size_t i = 0; i < channel_count; i++) {
        assert_int_equal(channel_close(&channels[i]), 0);
    }
    for (int i = 0; i < CROWD; i++) {
        unit_join(receivers[i]);
    }
    assert_int_equal(atomic_load(&crowd.failures), 0);
    for (int i = 0; i < CROWD * PER_SENDER; i++) {
        assert_int_equal(atomic_load(&crowd.arrived[i]), 1);
    }
    for (size_t i = 0; i < channel_count; i++) {
        channel_finish(&channels[i]);
    }
}

static void crowd_unbuffered(void **state)
{
    (void)state;
    crowd_run(1, 0);
}

static void crowd_buffered(void **state)
{
    (void)state;
    crowd_run(1, 3);
}

static void crowd_selects_unbuffered(void **state)
{
    (void)state;
    crowd_run(2, 0);
}

static void crowd_selects_buffered(void **state)
{
    (void)state;
    crowd_run(2, 3);
}

/* ---- waits that end in a race with what they wait for ---- */

#define RACES 200

struct canceller {
    struct context *context;
    pthread_barrier_t *start;
};

static void *cancel_at_start(void *argument)
{
    struct canceller *canceller = argument;
    pthread_barrier_wait(canceller->start);
    context_cancel(canceller->context);
    return NULL;
}

/* A send that waits is cancelled and received at the same time: both sides must agree
 * which of the two it was. */
static void both_sides_agree_who_came_first(void **state)
{
    (void)state;
    struct channel channel;
    channel_init(&channel, NULL, sizeof(int), 0);
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, 2);
    for (int i = 0; i < RACES; i++) {
        struct context context;
        context_init(&context, NULL);
        struct worker sender;
        workers_start(&sender, 1, &channel, &context, worker_send);
        struct canceller canceller = {.context = &context, .start = &start};
        pthread_t cancelling = unit_thread(cancel_at_start, &canceller);
        int value = 0;
        pthread_barrier_wait(&start);
        int result = channel_try_receive(&channel, &value);
        unit_join(sender.thread);
        unit_join(cancelling);
        assert_int_equal(sender.result, result == 0 ? 0 : -ECANCELED);
        assert_int_equal(value, result == 0 ? 100 : 0);
        assert_int_equal(waiting(&channel), 0);
        context_finish(&context);
    }
    pthread_barrier_destroy(&start);
    channel_finish(&channel);
}

static void *send_one(void *argument)
{
    channel_send(argument, &(int){1}, NULL);
    return NULL;
}

/* Whoever has got the last value may end the channel at once and free its memory, even
 * if the sender has not come back yet. A sanitizer or Valgrind sees it if it may not.
 */
static void channel_may_go_after_last_value(void **state)
{
    (void)state;
    for (int i = 0; i < RACES; i++) {
        struct channel *channel = malloc(sizeof(*channel));
        assert_non_null(channel);
        channel_init(channel, NULL, sizeof(int), 0);
        pthread_t sender = unit_thread(send_one, channel);
        assert_int_equal(receive_int(channel), 1);
        channel_finish(channel);
        free(channel);
        unit_join(sender);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffered_keeps_order),
        cmocka_unit_test(buffered_signals_need_no_buffer),
        cmocka_unit_test(value_may_be_dropped),
        cmocka_unit_test(unbuffered_send_waits_for_receiver),
        cmocka_unit_test(receiver_waits_for_value),
        cmocka_unit_test(longest_waiting_goes_first),
        cmocka_unit_test(room_in_buffer_ends_wait),
        cmocka_unit_test(closed_channel_gives_what_is_left),
        cmocka_unit_test(close_wakes_all),
        cmocka_unit_test(null_channel_is_never_ready),
        cmocka_unit_test(select_takes_first_that_is_ready),
        cmocka_unit_test(waiting_select_takes_one_and_leaves_others),
        cmocka_unit_test(select_may_name_a_channel_twice),
        cmocka_unit_test(select_has_room_for_all_it_may_have),
        cmocka_unit_test(deadline_ends_waits),
        cmocka_unit_test(cancel_ends_waits),
        cmocka_unit_test(ended_context_goes_before_ready_case),
        cmocka_unit_test(signals_do_not_end_waits),
        cmocka_unit_test(crowd_unbuffered),
        cmocka_unit_test(crowd_buffered),
        cmocka_unit_test(crowd_selects_unbuffered),
        cmocka_unit_test(crowd_selects_buffered),
        cmocka_unit_test(both_sides_agree_who_came_first),
        cmocka_unit_test(channel_may_go_after_last_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
