/*
 * Tests of channels with contexts: what ends a wait, what does not, and that both sides
 * agree whether a value was passed before the end.
 */
#include <signal.h>

#include "channel_worker.h"

#define RACES 200

static void deadline_ends_waits(void **state)
{
    (void)state;
    int buffer[1];
    struct channel channel;
    channel_init(&channel, buffer, sizeof(int), 1);
    struct context context;
    long start = unit_now_ms();
    context_init_timeout(&context, NULL, 20);
    int value = 1;
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
        /* The thread without a context still waits, and still works. */
        int value = 5;
        assert_int_equal(turn == 0 ? channel_try_receive(&channel, &value)
                                   : channel_try_send(&channel, &value),
                         0);
        workers_join(&other, 1, 0);
    }
    channel_finish(&channel);
}

/* Even if the thread has not run since. */
static void cancelled_receiver_takes_no_value(void **state)
{
    (void)state;
    struct channel channel;
    channel_init(&channel, NULL, sizeof(int), 0);
    for (int i = 0; i < RACES; i++) {
        struct context context;
        context_init(&context, NULL);
        struct worker receiver;
        workers_start(&receiver, 1, &channel, &context, worker_receive);
        context_cancel(&context);
        assert_int_equal(channel_try_send(&channel, &i), -EAGAIN);
        workers_join(&receiver, 1, -ECANCELED);
        context_finish(&context);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadline_ends_waits),
        cmocka_unit_test(cancel_ends_waits),
        cmocka_unit_test(cancelled_receiver_takes_no_value),
        cmocka_unit_test(ended_context_goes_before_ready_case),
        cmocka_unit_test(signals_do_not_end_waits),
        cmocka_unit_test(both_sides_agree_who_came_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
