/*
 * Test of many threads that send, receive and select at once: every value arrives
 * exactly once.
 */
#include <string.h>

#include "channel_worker.h"

#define CROWD 4        /* senders, and as many receivers */
#define PER_SENDER 800 /* values */

struct crowd {
    struct channel *channels; /* each value goes through any of them */
    size_t count;
    atomic_int next;                          /* the next value to send */
    atomic_uchar arrived[CROWD * PER_SENDER]; /* how often each value arrived */
    atomic_int failures;
};

/* Sends `value` on any channel. `turn` chooses the order of the cases. */
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

/* Receives from all channels until all are closed and empty. Sets each closed channel
 * to NULL in the cases, as a Go program does. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crowd_unbuffered),
        cmocka_unit_test(crowd_buffered),
        cmocka_unit_test(crowd_selects_unbuffered),
        cmocka_unit_test(crowd_selects_buffered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
