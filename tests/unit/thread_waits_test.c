/*
 * Tests of the details in thread profiles: name, state, age, and how long a thread has
 * waited, which taking a profile does not change.
 */
#include "thread_gate.h"

static void details_are_name_state_and_times(void **state)
{
    (void)state;
    long before = unit_now_ms();
    gate_thread(worker_run, NULL);
    wait_for_arrivals(&gate, 1);
    unit_sleep_ms(300);
    struct threads threads = read_all(true);
    long lifetime_most = unit_now_ms() - before + 20; /* the kernel counts in ticks */
    const struct thread_entry *entry = thread_in(&threads, "worker_run");
    assert_string_equal(entry->name, "worker (1) :");
    assert_int_equal(entry->state, 'S');
    assert_in_range(entry->lifetime_ns / 1000000, 250, lifetime_most);
    /* If the kernel does not say when a thread last ran, it is 0 the first time. */
    assert_true(entry->waited_ns <= entry->lifetime_ns);
    assert_int_equal(thread_in(&threads, "main")->state, 'R');
    assert_int_equal(thread_in(&threads, "main")->waited_ns, 0);
    probe_threads_release(&threads);
}

static void a_name_stays_in_its_line(void **state)
{
    (void)state;
    char before[16];
    pthread_getname_np(pthread_self(), before, sizeof(before));
    pthread_setname_np(pthread_self(), "a\n\x1b\x7f \xc3\xa4) b");
    struct threads threads = read_all(true);
    assert_string_equal(thread_in(&threads, "main")->name, "a??? \xc3\xa4) b");
    probe_threads_release(&threads);
    pthread_setname_np(pthread_self(), before);
}

static void a_profile_does_not_end_a_wait(void **state)
{
    (void)state;
    gate_thread(worker_run, NULL);
    wait_for_arrivals(&gate, 1);
    struct threads threads = read_all(true);
    int64_t first = thread_in(&threads, "worker_run")->waited_ns;
    probe_threads_release(&threads);
    unit_sleep_ms(200);
    threads = read_all(false);
    probe_threads_release(&threads);
    unit_sleep_ms(200);
    threads = read_all(true);
    int64_t second = thread_in(&threads, "worker_run")->waited_ns;
    assert_in_range((second - first) / 1000000, 395, UNIT_PATIENCE_MS);
    probe_threads_release(&threads);
}

/* Passes the gate twice, so it waits with the same stack again. */
static void *twice_run(void *argument)
{
    for (int i = 0; i < 2; i++) {
        gate_pass(&gate);
    }
    return argument;
}

static void a_new_wait_begins_at_zero(void **state)
{
    (void)state;
    gate_thread(twice_run, NULL);
    wait_for_arrivals(&gate, 1);
    struct threads threads = read_all(true);
    probe_threads_release(&threads);
    unit_sleep_ms(500);
    long opened = unit_now_ms();
    gate_open(&gate, 1);
    wait_for_arrivals(&gate, 2);
    threads = read_all(true);
    long waited_most = unit_now_ms() - opened + 20;
    int64_t waited = thread_in(&threads, "twice_run")->waited_ns;
    assert_in_range(waited / 1000000, 0, waited_most);
    probe_threads_release(&threads);
}

static void a_round_counts_its_signals_and_reads_the_same_birth(void **state)
{
    (void)state;
    gate_thread(worker_run, NULL);
    wait_for_arrivals(&gate, 1);
    struct threads threads;
    assert_int_equal(probe_threads_read_waits(&threads), 0);
    /* Its own stack the calling thread takes without a signal. */
    assert_int_equal(threads.asked, 1 + strangers);
    int64_t born_ns = thread_in(&threads, "worker_run")->born_ns;
    assert_true(born_ns > 0);
    probe_threads_release(&threads);
    assert_int_equal(probe_threads_read_waits(&threads), 0);
    struct thread_entry entry = *thread_in(&threads, "worker_run");
    assert_int_equal(threads.asked, strangers + (entry.unchanged ? 0 : 1));
    unit_sleep_ms(50);
    probe_threads_read_wait(&entry);
    assert_int_equal(entry.born_ns, born_ns);
    assert_int_equal(entry.state, 'S');
    probe_threads_release(&threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(details_are_name_state_and_times),
        GATE_TEST(a_name_stays_in_its_line),
        GATE_TEST(a_profile_does_not_end_a_wait),
        GATE_TEST(a_new_wait_begins_at_zero),
        GATE_TEST(a_round_counts_its_signals_and_reads_the_same_birth),
    };
    return cmocka_run_group_tests(tests, gate_group_setup, NULL);
}
