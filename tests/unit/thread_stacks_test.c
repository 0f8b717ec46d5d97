/*
 * Tests of the stacks in thread profiles: every thread has its current stack, and equal
 * stacks are counted together.
 */
#include "thread_gate.h"

#define WORKERS 20

static void equal_stacks_are_counted_together(void **state)
{
    (void)state;
    for (int i = 0; i < WORKERS; i++) {
        gate_thread(worker_run, NULL);
    }
    wait_for_arrivals(&gate, WORKERS);
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
    gate_thread(mover_run, NULL);
    for (int stage = 0; stage < 2; stage++) {
        wait_for_arrivals(&gate, stage + 1);
        for (int i = 0; i < 3; i++) {
            struct threads threads = read_all(false);
            assert_int_equal(threads_in(&threads, "first_place"), stage == 0);
            assert_int_equal(threads_in(&threads, "second_place"), stage == 1);
            probe_threads_release(&threads);
        }
        gate_open(&gate, 1);
    }
}

__attribute__((noinline)) static int descend(int depth)
{
    if (depth > 0) {
        int result = descend(depth - 1);
        __asm__ volatile("" ::
                             : "memory"); /* keeps the compiler from making a loop of
                                             the recursion */
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

static void a_deep_stack_keeps_its_inner_frames(void **state)
{
    (void)state;
    gate_thread(deep_run, NULL);
    wait_for_arrivals(&gate, 1);
    struct threads threads = read_all(false);
    const struct thread_entry *entry = thread_in(&threads, "descend");
    const struct stack *stack = probe_stacks_at(&threads.stacks, entry->stack);
    assert_int_equal(stack->depth, THREADS_DEPTH_MAX);
    assert_true(stack_has(&threads, stack, "gate_pass"));
    probe_threads_release(&threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(equal_stacks_are_counted_together),
        GATE_TEST(who_has_moved_on_is_seen_there),
        GATE_TEST(a_deep_stack_keeps_its_inner_frames),
    };
    return cmocka_run_group_tests(tests, gate_group_setup, NULL);
}
