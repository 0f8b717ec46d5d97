/*
 * Tests of select: which case it takes, and that it does nothing to the other cases.
 */
#include "channel_worker.h"

static void *worker_select(void *argument)
{
    struct worker *worker = argument;
    worker->result = channel_select(worker->cases, worker->count, worker->context);
    atomic_store(&worker->ended, true);
    return NULL;
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
    /* A select does not complete its own cases. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(select_takes_first_that_is_ready),
        cmocka_unit_test(waiting_select_takes_one_and_leaves_others),
        cmocka_unit_test(select_may_name_a_channel_twice),
        cmocka_unit_test(select_has_room_for_all_it_may_have),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
