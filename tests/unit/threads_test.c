/*
 * Thread profiles: every thread is there with the stack it has, equal stacks are
 * counted together, and a thread that keeps silent costs little and harms nobody.
 */
#include "probe/threads/threads.h"

#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/symbols/symbols.h"
#include "probe/threads/thread_profile.h"
#include "proto_reader.h"
#include "unit.h"

#define THIS_FILE "tests/unit/threads_test.c"
#define WORKERS 20

/* Where the test's threads wait, until the test lets them go; and another one, for a
 * deaf thread. */
static sem_t gate;
static sem_t deaf_gate;
static atomic_int waiting;

/* A sanitizer may have a thread of its own, which is deaf; it starts it with the first
 * of ours. */
static size_t strangers;

__attribute__((noinline)) static void gate_pass(sem_t *which)
{
    atomic_fetch_add(&waiting, 1);
    while (sem_wait(which) != 0 && errno == EINTR) {
    }
    atomic_fetch_sub(&waiting, 1);
}

static void *worker_run(void *argument)
{
    pthread_setname_np(pthread_self(), "worker (1) :");
    gate_pass(&gate);
    return argument;
}

/* Waits until it is let go, with all signals blocked; then, without. */
static void *deaf_run(void *argument)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    gate_pass(&deaf_gate);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    gate_pass(&gate);
    return argument;
}

__attribute__((noinline)) static int descend(int depth)
{
    if (depth > 0) {
        int result = descend(depth - 1);
        __asm__ volatile("" ::: "memory"); /* no loop, please */
        return result + 1;
    }
    gate_pass(&gate);
    return 0;
}

static void *deep_run(void *argument)
{
    descend(200);
    return argument;
}

static bool as_many_wait(void *count)
{
    return atomic_load(&waiting) == *(int *)count;
}

/* Waits until so many threads are at the gate, and asleep there: a moment is enough for
 * that, and if it is not, they are found in gate_pass all the same. */
static void wait_for_waiting(int count)
{
    unit_wait_until(as_many_wait, &count);
    unit_sleep_ms(20);
}

static void gate_open(int count)
{
    for (int i = 0; i < count; i++) {
        sem_post(&gate);
    }
}

static struct threads read_all(bool details)
{
    struct threads threads;
    assert_int_equal(probe_threads_read(details, &threads), 0);
    return threads;
}

/* Whether a function is on the stack. */
static bool stack_has(const struct threads *threads, const struct stack *stack,
                      const char *function)
{
    for (size_t i = 0; i < stack->depth; i++) {
        struct symbol symbol;
        probe_symbols_find(probe_stacks_frames(&threads->stacks, stack)[i], &symbol);
        if (strcmp(symbol.function, function) == 0) {
            return true;
        }
    }
    return false;
}

/* How many threads have the function on their stack. */
static int64_t threads_in(const struct threads *threads, const char *function)
{
    int64_t count = 0;
    for (size_t i = 0; i < threads->stacks.count; i++) {
        const struct stack *stack = probe_stacks_at(&threads->stacks, i);
        count += stack_has(threads, stack, function) ? stack->values[0] : 0;
    }
    return count;
}

/* The first thread with the function on its stack. */
static const struct thread_entry *thread_in(const struct threads *threads,
                                            const char *function)
{
    for (size_t i = 0; i < threads->count; i++) {
        const struct thread_entry *entry = probe_threads_at(threads, i);
        if (entry->stack != THREADS_NO_STACK &&
            stack_has(threads, probe_stacks_at(&threads->stacks, entry->stack),
                      function)) {
            return entry;
        }
    }
    fail_msg("no thread is in %s", function);
    return NULL;
}

static void equal_stacks_are_counted_together(void **state)
{
    (void)state;
    pthread_t workers[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = unit_thread(worker_run, NULL);
    }
    wait_for_waiting(WORKERS);
    struct threads threads = read_all(false);
    assert_int_equal(threads.silent, strangers);
    assert_int_equal(threads.count, WORKERS + 1 + strangers);
    assert_int_equal(threads_in(&threads, "worker_run"), WORKERS);
    assert_int_equal(threads_in(&threads, "gate_pass"), WORKERS);
    assert_int_equal(threads_in(&threads, "main"), 1);
    const struct thread_entry *worker = thread_in(&threads, "worker_run");
    assert_true(probe_stacks_at(&threads.stacks, worker->stack)->values[0] >
                WORKERS / 2);
    assert_int_equal(probe_threads_at(&threads, 0)->tid, getpid());
    probe_threads_release(&threads);
    gate_open(WORKERS);
    for (int i = 0; i < WORKERS; i++) {
        unit_join(workers[i]);
    }
}

static void details_are_name_state_and_times(void **state)
{
    (void)state;
    pthread_t worker = unit_thread(worker_run, NULL);
    wait_for_waiting(1);
    unit_sleep_ms(300);
    struct threads threads = read_all(true);
    const struct thread_entry *entry = thread_in(&threads, "worker_run");
    assert_string_equal(entry->name, "worker (1) :");
    assert_int_equal(entry->state, 'S');
    assert_in_range(entry->lifetime_ns / 1000000, 250, 20000);
    /* Where the kernel does not say when a thread last ran, it is 0 the first time. */
    assert_true(entry->waited_ns <= entry->lifetime_ns);
    assert_int_equal(thread_in(&threads, "main")->state, 'R');
    assert_int_equal(thread_in(&threads, "main")->waited_ns, 0);
    probe_threads_release(&threads);
    gate_open(1);
    unit_join(worker);
}

static void being_asked_does_not_end_a_wait(void **state)
{
    (void)state;
    pthread_t worker = unit_thread(worker_run, NULL);
    wait_for_waiting(1);
    struct threads threads = read_all(true);
    int64_t first = thread_in(&threads, "worker_run")->waited_ns;
    probe_threads_release(&threads);
    unit_sleep_ms(200);
    threads = read_all(false);
    probe_threads_release(&threads);
    unit_sleep_ms(200);
    threads = read_all(true);
    int64_t second = thread_in(&threads, "worker_run")->waited_ns;
    assert_in_range((second - first) / 1000000, 395, 20000);
    probe_threads_release(&threads);
    gate_open(1);
    unit_join(worker);
}

/* Passes the gate twice, so it comes to wait with the same stack again. */
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
    pthread_t worker = unit_thread(twice_run, NULL);
    wait_for_waiting(1);
    struct threads threads = read_all(true);
    probe_threads_release(&threads);
    unit_sleep_ms(1000);
    gate_open(1);
    unit_sleep_ms(50);
    wait_for_waiting(1);
    threads = read_all(true);
    int64_t waited = thread_in(&threads, "twice_run")->waited_ns;
    assert_in_range(waited / 1000000, 0, 900);
    probe_threads_release(&threads);
    gate_open(1);
    unit_join(worker);
}

/* How often a thread has gone to sleep, by /proc. */
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

static void who_has_not_run_is_not_woken(void **state)
{
    (void)state;
    pthread_t worker = unit_thread(worker_run, NULL);
    wait_for_waiting(1);
    /* The first round asks; the next one may come while the thread still goes back to
     * sleep, and ask again. */
    for (int i = 0; i < 3; i++) {
        struct threads threads = read_all(false);
        probe_threads_release(&threads);
        unit_sleep_ms(50);
    }
    struct threads threads = read_all(false);
    pid_t tid = thread_in(&threads, "worker_run")->tid;
    probe_threads_release(&threads);
    long before = sleeps_of(tid);
    threads = read_all(true);
    assert_int_equal(threads_in(&threads, "worker_run"), 1);
    assert_string_equal(thread_in(&threads, "worker_run")->name, "worker (1) :");
    probe_threads_release(&threads);
    assert_true(before > 0);
    assert_int_equal(sleeps_of(tid), before);
    gate_open(1);
    unit_join(worker);
}

__attribute__((noinline)) static void first_place(void)
{
    gate_pass(&gate);
    __asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static void second_place(void)
{
    gate_pass(&gate);
    __asm__ volatile("" ::: "memory");
}

static void *mover_run(void *argument)
{
    first_place();
    second_place();
    return argument;
}

static void who_has_moved_on_is_seen_there(void **state)
{
    (void)state;
    pthread_t mover = unit_thread(mover_run, NULL);
    for (int stage = 0; stage < 2; stage++) {
        wait_for_waiting(1);
        for (int i = 0; i < 3; i++) {
            struct threads threads = read_all(false);
            assert_int_equal(threads_in(&threads, "first_place"), stage == 0);
            assert_int_equal(threads_in(&threads, "second_place"), stage == 1);
            probe_threads_release(&threads);
        }
        gate_open(1);
        unit_sleep_ms(20);
    }
    unit_join(mover);
}

static void a_deep_stack_keeps_its_inner_frames(void **state)
{
    (void)state;
    pthread_t deep = unit_thread(deep_run, NULL);
    wait_for_waiting(1);
    struct threads threads = read_all(false);
    const struct thread_entry *entry = thread_in(&threads, "descend");
    const struct stack *stack = probe_stacks_at(&threads.stacks, entry->stack);
    assert_int_equal(stack->depth, THREADS_DEPTH_MAX);
    assert_true(stack_has(&threads, stack, "gate_pass"));
    probe_threads_release(&threads);
    gate_open(1);
    unit_join(deep);
}

static void a_deaf_thread_is_silent_and_not_waited_for(void **state)
{
    (void)state;
    pthread_t deaf = unit_thread(deaf_run, NULL);
    pthread_t worker = unit_thread(worker_run, NULL);
    wait_for_waiting(2);
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

    /* Its answers come now, long after the round: they must change nothing. */
    struct threads before = read_all(false);
    gate_open(1);
    unit_join(worker);
    sem_post(&deaf_gate);
    unit_sleep_ms(20);
    wait_for_waiting(1);
    assert_int_equal(threads_in(&before, "deaf_run"), 0);
    probe_threads_release(&before);
    threads = read_all(false);
    assert_int_equal(threads.silent, strangers);
    assert_int_equal(threads_in(&threads, "deaf_run"), 1);
    assert_int_equal(threads_in(&threads, "worker_run"), 0);
    probe_threads_release(&threads);
    gate_open(1);
    unit_join(deaf);
}

/* Polls a pipe, first in vain, then until there is something to read. */
struct poll_case {
    int fds[2];
    int in_vain;
    long in_vain_ms;
    int in_time;
    int for_ever;
};

static void *poll_run(void *argument)
{
    struct poll_case *test = argument;
    struct pollfd fd = {.fd = test->fds[0], .events = POLLIN};
    char byte;
    long start = unit_now_ms();
    atomic_fetch_add(&waiting, 1);
    test->in_vain = poll(&fd, 1, 300);
    test->in_vain_ms = unit_now_ms() - start;
    atomic_fetch_add(&waiting, 1);
    test->in_time = poll(&fd, 1, UNIT_PATIENCE_MS);
    if (read(test->fds[0], &byte, 1) != 1) {
        test->in_time = -1;
    }
    atomic_fetch_add(&waiting, 1);
    test->for_ever = poll(&fd, 1, -1);
    atomic_fetch_sub(&waiting, 3);
    return NULL;
}

static void a_poll_goes_on_after_a_question(void **state)
{
    (void)state;
    struct poll_case test = {0};
    assert_int_equal(pipe(test.fds), 0);
    pthread_t thread = unit_thread(poll_run, &test);
    for (int stage = 1; stage <= 3; stage++) {
        wait_for_waiting(stage);
        for (int i = 0; i < 5; i++) {
            struct threads threads = read_all(false);
            assert_int_equal(threads_in(&threads, "poll_run"), 1);
            probe_threads_release(&threads);
            unit_sleep_ms(10);
        }
        if (stage >= 2) {
            assert_int_equal(write(test.fds[1], "x", 1), 1);
        }
    }
    unit_join(thread);
    assert_int_equal(test.in_vain, 0);
    assert_in_range(test.in_vain_ms, 300, 5000);
    assert_int_equal(test.in_time, 1);
    assert_int_equal(test.for_ever, 1);
    close(test.fds[0]);
    close(test.fds[1]);
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

/* Starts threads that end at once, until it is told to stop. */
static void *churn_run(void *argument)
{
    while (!atomic_load((atomic_bool *)argument)) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, worker_run, NULL) == 0) {
            pthread_join(thread, NULL);
        }
    }
    return NULL;
}

/* Reads again and again, for a while; leaves how many readings went wrong. */
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
    gate_open(1000000); /* nobody waits */
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
    while (sem_trywait(&gate) == 0) {
    }
}

/* Two workers and a deaf thread at the gate, read with details. */
static struct threads three_wait(pthread_t started[3])
{
    started[0] = unit_thread(worker_run, NULL);
    started[1] = unit_thread(worker_run, NULL);
    started[2] = unit_thread(deaf_run, NULL);
    wait_for_waiting(3);
    return read_all(true);
}

static void three_go(struct threads *threads, pthread_t started[3])
{
    probe_threads_release(threads);
    sem_post(&deaf_gate);
    gate_open(3);
    for (int i = 0; i < 3; i++) {
        unit_join(started[i]);
    }
}

static void proto_counts_threads(void **state)
{
    (void)state;
    pthread_t started[3];
    struct threads threads = three_wait(started);
    struct buffer buffer = {0};
    assert_int_equal(probe_thread_profile_proto(&threads, "goroutine", &buffer), 0);
    struct proto profile = proto_of(&buffer);
    struct proto type;
    assert_int_equal(proto_count(profile, 1), 1);
    assert_true(proto_message(profile, 1, 0, &type));
    assert_string_equal(profile_string(profile, proto_number(type, 1)), "goroutine");
    int64_t totals[8];
    profile_totals(profile, totals);
    assert_int_equal(totals[0], 4 + strangers);
    struct profile_sample sample;
    assert_true(profile_sample_in(profile, 0, "thread_did_not_answer", &sample));
    assert_int_equal(sample.values[0], 1 + strangers);
    /* gate_pass is not the leaf: that is in the C library, some frames of which, more
     * with a sanitizer, come first. */
    bool found = false;
    for (size_t frame = 1; frame < 12 && !found; frame++) {
        found = profile_sample_in(profile, frame, "gate_pass", &sample);
        if (found) {
            struct profile_place place =
                profile_place(profile, sample.locations[frame]);
            assert_non_null(strstr(place.file, THIS_FILE));
        }
    }
    assert_true(found);
    buffer_release(&buffer);
    three_go(&threads, started);
}

static void text_begins_with_the_most_numerous(void **state)
{
    (void)state;
    pthread_t started[3];
    struct threads threads = three_wait(started);
    struct buffer buffer = {0};
    assert_int_equal(probe_thread_profile_text(&threads, &buffer), 0);
    char first[100];
    snprintf(first, sizeof(first), "threads profile: total %zu\n2 @ 0x", 4 + strangers);
    assert_true(strncmp(buffer.data, first, strlen(first)) == 0);
    assert_non_null(strstr(buffer.data, "\tworker_run+0x"));
    assert_non_null(strstr(buffer.data, "\t" THIS_FILE ":"));
    assert_non_null(strstr(buffer.data, "\n1 @ 0x"));
    snprintf(first, sizeof(first), "\n# %zu did not answer", 1 + strangers);
    assert_non_null(strstr(buffer.data, first));
    assert_non_null(strstr(buffer.data, "\n--- Memory map: ---\n"));
    buffer_release(&buffer);
    three_go(&threads, started);
}

static void blocks_tell_of_each_thread(void **state)
{
    (void)state;
    pthread_t started[3];
    struct threads threads = three_wait(started);
    struct buffer buffer = {0};
    assert_int_equal(probe_thread_profile_blocks(&threads, &buffer), 0);
    char heading[100];
    snprintf(heading, sizeof(heading), "thread %d \"threads_test\" [running]:\n",
             (int)getpid());
    assert_true(strncmp(buffer.data, heading, strlen(heading)) == 0);
    snprintf(heading, sizeof(heading),
             "\n\nthread %d \"worker (1) :\" [sleeping, at least ",
             (int)probe_threads_at(&threads, 1 + strangers)->tid);
    assert_non_null(strstr(buffer.data, heading));
    assert_non_null(strstr(buffer.data, "\nworker_run\n\t" THIS_FILE ":"));
    assert_non_null(strstr(buffer.data, "]:\nno stack: it blocks signal "));
    buffer_release(&buffer);
    three_go(&threads, started);
}

static void *nothing_run(void *argument)
{
    return argument;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_stacks_are_counted_together),
        cmocka_unit_test(details_are_name_state_and_times),
        cmocka_unit_test(being_asked_does_not_end_a_wait),
        cmocka_unit_test(a_new_wait_begins_at_zero),
        cmocka_unit_test(who_has_not_run_is_not_woken),
        cmocka_unit_test(who_has_moved_on_is_seen_there),
        cmocka_unit_test(a_deep_stack_keeps_its_inner_frames),
        cmocka_unit_test(a_deaf_thread_is_silent_and_not_waited_for),
        cmocka_unit_test(a_poll_goes_on_after_a_question),
        cmocka_unit_test(a_strangers_signal_changes_nothing),
        cmocka_unit_test(threads_may_come_and_go_and_many_may_ask),
        cmocka_unit_test(proto_counts_threads),
        cmocka_unit_test(text_begins_with_the_most_numerous),
        cmocka_unit_test(blocks_tell_of_each_thread),
    };
    struct threads threads;
    sem_init(&gate, 0, 0);
    sem_init(&deaf_gate, 0, 0);
    if (probe_symbols_load() != 0 || probe_threads_start() != 0) {
        return 1;
    }
    unit_join(unit_thread(nothing_run, NULL));
    if (probe_threads_read(false, &threads) != 0) {
        return 1;
    }
    strangers = threads.count - 1;
    probe_threads_release(&threads);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
