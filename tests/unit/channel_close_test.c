/*
 * Tests of closing a channel: which values a closed channel still has, which threads
 * wake, and when its memory may be freed.
 */
#include <stdlib.h>

#include "channel_worker.h"

#define RACES 200

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
    /* The waiting senders' values were not sent; the buffered value is still there. */
    assert_int_equal(receive_int(&channel), 1);
    assert_int_equal(channel_try_receive(&channel, &value), -EPIPE);
    channel_finish(&channel);
}

static void *send_one(void *argument)
{
    channel_send(argument, &(int){1}, NULL);
    return NULL;
}

/* The thread that has received the last value may end the channel and free its memory
 * at once, even if channel_send has not returned yet. Sanitizers and Valgrind report an
 * error if the sender still uses it. */
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
        cmocka_unit_test(closed_channel_gives_what_is_left),
        cmocka_unit_test(close_wakes_all),
        cmocka_unit_test(channel_may_go_after_last_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
