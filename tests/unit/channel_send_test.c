/*
 * Tests of sending and receiving, with and without a buffer: when a call waits, and in
 * which order values and waiting threads are served.
 */
#include "channel_worker.h"

static void buffered_keeps_order(void **state)
{
    (void)state;
    int buffer[3];
    struct channel channel;
    channel_init(&channel, buffer, sizeof(int), 3);
    assert_int_equal(channel_length(&channel), 0);
    assert_int_equal(channel_try_receive(&channel, NULL), -EAGAIN);
    /* More values than the buffer has places, so that the ring wraps at every
     * offset. */
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

static void null_channel_is_never_ready(void **state)
{
    (void)state;
    int value = 1;
    assert_int_equal(channel_try_send(NULL, &value), -EAGAIN);
    assert_int_equal(channel_try_receive(NULL, &value), -EAGAIN);
    assert_int_equal(channel_length(NULL), 0);
    struct context context;
    long start = unit_now_ms();
    context_init_timeout(&context, NULL, 20);
    assert_int_equal(channel_send(NULL, &value, &context), -ETIMEDOUT);
    assert_true(unit_now_ms() - start >= 19);
    context_finish(&context);
    context_init_timeout(&context, NULL, 20);
    assert_int_equal(channel_receive(NULL, &value, &context), -ETIMEDOUT);
    context_finish(&context);
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
        cmocka_unit_test(null_channel_is_never_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
