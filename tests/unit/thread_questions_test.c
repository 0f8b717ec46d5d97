/*
 * Tests of the signals of a thread profile: they change nothing for the threads, no
 * thread is woken without need, a silent thread delays no other, and threads may start
 * and end meanwhile.
 */
#include <poll.h>

#include "thread_gate.h"

/* How often a thread has gone to sleep, from /proc. */
static long sleeps_of(pid_t tid)
{
    char path[64];
    char line[256];
    long sleeps = -1;
    snprintf(path, sizeof(path), "/proc/self/task/%d/status", (int)tid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "voluntary_ctxt_switches:", 24) == 0) {
            sleeps = strtol(line + 24, NULL, 10);
        }
    }
    fclose(file);
    return sleeps;
}

/* Takes a profile; true if the thread was not woken. */
static bool profile_wakes_nobody(void *tid)
{
    long before = sleeps_of(*(pid_t *)tid);
    struct threads threads = read_all(false);
    probe_threads_release(&threads);
    unit_wait_until(others_sleep, NULL);
    return sleeps_of(*(pid_t *)tid) == before;
}

static void who_has_not_run_is_not_woken(void **state)
{
    (void)state;
    gate_thread(worker_run, NULL);
    wait_for_arrivals(&gate, 1);
    struct threads threads = read_all(false);
    pid_t tid = thread_in(&threads, "worker_run")->tid;
    probe_threads_release(&threads);
    /* The first profile wakes the thread; so does the next, if the thread was not
     * asleep again yet. */
    unit_wait_until(profile_wakes_nobody, &tid);
    long before = sleeps_of(tid);
    for (int i = 0; i < 3; i++) {
        threads = read_all(true);
        assert_int_equal(threads_in(&threads, "worker_run"), 1);
        assert_string_equal(thread_in(&threads, "worker_run")->name, "worker (1) :");
        probe_threads_release(&threads);
    }
    assert_true(before > 0);
    assert_int_equal(sleeps_of(tid), before);
}

static void a_deaf_thread_is_silent_and_not_waited_for(void **state)
{
    (void)state;
    gate_thread(deaf_run, NULL);
    wait_for_arrivals(&deaf_gate, 1);
    gate_thread(worker_run, NULL);
    wait_for_arrivals(&gate, 1);
    long start = unit_now_ms();
    struct threads threads = read_all(true);
    assert_true(unit_now_ms() - start < THREADS_TIME_LIMIT_MS);
    assert_int_equal(threads.count, 3 + strangers);
    assert_int_equal(threads.silent, 1 + strangers);
    assert_int_equal(probe_threads_at(&threads, 1 + strangers)->stack,
                     THREADS_NO_STACK);
    assert_int_equal(probe_threads_at(&threads, 1 + strangers)->state, 'S');
    assert_int_equal(threads_in(&threads, "worker_run"), 1);
    probe_threads_release(&threads);

    /* The late answers come now, long after the round: they must change nothing. */
    struct threads before = read_all(false);
    gate_open(&deaf_gate, 1);
    wait_for_arrivals(&gate, 2);
    assert_int_equal(threads_in(&before, "deaf_run"), 0);
    probe_threads_release(&before);
    threads = read_all(false);
    assert_int_equal(threads.silent, strangers);
    assert_int_equal(threads_in(&threads, "deaf_run"), 1);
    assert_int_equal(threads_in(&threads, "worker_run"), 1);
    probe_threads_release(&threads);
}

/* Polls a pipe: first until a timeout, then until there are bytes to read. */
static struct {
    int fds[2];
    int in_vain;
    long in_vain_ms;
    int in_time;
    int for_ever;
    atomic_int stage; /* 1, 2, 3: which poll is running; 4: all are over */
} polling;

static void *poll_run(void *argument)
{
    struct pollfd fd = {.fd = polling.fds[0], .events = POLLIN};
    char byte;
    long start = unit_now_ms();
    atomic_store(&polling.stage, 1);
    polling.in_vain = poll(&fd, 1, 300);
    polling.in_vain_ms = unit_now_ms() - start;
    atomic_store(&polling.stage, 2);
    polling.in_time = poll(&fd, 1, UNIT_PATIENCE_MS);
    if (read(polling.fds[0], &byte, 1) != 1) {
        polling.in_time = -1;
    }
    atomic_store(&polling.stage, 3);
    polling.for_ever = poll(&fd, 1, -1);
    atomic_store(&polling.stage, 4);
    return argument;
}

static int poll_setup(void **state)
{
    atomic_store(&polling.stage, 0);
    return pipe(polling.fds) == 0 ? gate_setup(state) : -1;
}

/* Closing the writing end of the pipe ends every poll. */
static int poll_teardown(void **state)
{
    close(polling.fds[1]);
    int error = gate_teardown(state);
    close(polling.fds[0]);
    return error;
}

static bool poll_is_at(void *stage)
{
    return atomic_load(&polling.stage) >= *(int *)stage;
}

static void a_poll_goes_on_after_a_question(void **state)
{
    (void)state;
    gate_thread(poll_run, NULL);
    for (int stage = 1; stage <= 3; stage++) {
        unit_wait_until(poll_is_at, &stage);
        unit_wait_until(others_sleep, NULL);
        for (int i = 0; i < 5; i++) {
            struct threads threads = read_all(false);
            assert_int_equal(threads_in(&threads, "poll_run"), 1);
            probe_threads_release(&threads);
            unit_sleep_ms(10);
        }
        if (stage >= 2) {
            assert_int_equal(write(polling.fds[1], "x", 1), 1);
        }
    }
    unit_wait_until(poll_is_at, &(int){4});
    assert_int_equal(polling.in_vain, 0);
    assert_in_range(polling.in_vain_ms, 300, UNIT_PATIENCE_MS);
    assert_int_equal(polling.in_time, 1);
    assert_int_equal(polling.for_ever, 1);
}

static void a_strangers_signal_changes_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        union sigval value = {.sival_ptr = (void *)((uintptr_t)i << 32)};
        assert_int_equal(sigqueue(getpid(), THREADS_SIGNAL, value), 0);
        assert_int_equal(raise(THREADS_SIGNAL), 0);
        value.sival_ptr = (void *)UINTPTR_MAX;
        assert_int_equal(sigqueue(getpid(), THREADS_SIGNAL, value), 0);
    }
    struct threads threads = read_all(false);
    assert_int_equal(threads.count, 1 + strangers);
    assert_int_equal(threads.silent, strangers);
    probe_threads_release(&threads);
}

/* Starts threads that end at once, until the test stops it. */
static void *churn_run(void *argument)
{
    while (!atomic_load((atomic_bool *)argument)) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, nothing_run, NULL) == 0) {
            pthread_join(thread, NULL);
        }
    }
    return NULL;
}

/* Takes profiles for a while, and leaves the number of failures. */
static void *reader_run(void *argument)
{
    long end = unit_now_ms() + 2000;
    for (int i = 0; i < 50 && unit_now_ms() < end; i++) {
        struct threads threads;
        if (probe_threads_read(i % 8 == 0, &threads) != 0) {
            atomic_fetch_add((atomic_int *)argument, 1);
            continue;
        }
        int64_t stacks = 0;
        for (size_t j = 0; j < threads.stacks.count; j++) {
            stacks += probe_stacks_at(&threads.stacks, j)->values[0];
        }
        if (stacks + (int64_t)threads.silent != (int64_t)threads.count) {
            atomic_fetch_add((atomic_int *)argument, 1);
        }
        probe_threads_release(&threads);
    }
    return NULL;
}

static void threads_may_come_and_go_and_many_may_ask(void **state)
{
    (void)state;
    static atomic_bool enough;
    static atomic_int wrong;
    pthread_t churns[3];
    pthread_t readers[4];
    for (size_t i = 0; i < 3; i++) {
        churns[i] = unit_thread(churn_run, &enough);
    }
    for (size_t i = 0; i < 4; i++) {
        readers[i] = unit_thread(reader_run, &wrong);
    }
    for (size_t i = 0; i < 4; i++) {
        unit_join(readers[i]);
    }
    atomic_store(&enough, true);
    for (size_t i = 0; i < 3; i++) {
        unit_join(churns[i]);
    }
    assert_int_equal(atomic_load(&wrong), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(who_has_not_run_is_not_woken),
        GATE_TEST(a_deaf_thread_is_silent_and_not_waited_for),
        cmocka_unit_test_setup_teardown(a_poll_goes_on_after_a_question, poll_setup,
                                        poll_teardown),
        GATE_TEST(a_strangers_signal_changes_nothing),
        GATE_TEST(threads_may_come_and_go_and_many_may_ask),
    };
    return cmocka_run_group_tests(tests, gate_group_setup, NULL);
}
