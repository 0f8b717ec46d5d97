/*
 * Tests of the records of waiting threads: who waits is held until it is released, who
 * is asked does not begin a wait, and a wait that was left in another way is over.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/preload/wait_records.h"
#include "unit.h"

#define ROUND 7

/* A thread that begins a wait when it may, and leaves it when it may. */
struct waiter {
    pthread_t thread;
    atomic_int tid;
    atomic_bool may_enter;
    atomic_bool entered;
    atomic_bool may_leave;
    atomic_bool left;
};

static bool is_true(void *flag)
{
    return atomic_load((atomic_bool *)flag);
}

static bool has_tid(void *tid)
{
    return atomic_load((atomic_int *)tid) != 0;
}

static void *waiter_run(void *argument)
{
    struct waiter *waiter = argument;
    atomic_store(&waiter->tid, gettid());
    unit_wait_until(is_true, &waiter->may_enter);
    struct wait_frame frame = {.function = (const void *)waiter_run};
    probe_wait_registers(&frame.registers);
    probe_wait_enter(&frame);
    atomic_store(&waiter->entered, true);
    unit_wait_until(is_true, &waiter->may_leave);
    probe_wait_leave(&frame);
    atomic_store(&waiter->left, true);
    return NULL;
}

static void waiter_start(struct waiter *waiter)
{
    waiter->thread = unit_thread(waiter_run, waiter);
    unit_wait_until(has_tid, &waiter->tid);
}

static void a_held_thread_does_not_leave(void **state)
{
    (void)state;
    struct waiter waiter = {.may_enter = true};
    struct thread_hold hold = {0};
    waiter_start(&waiter);
    unit_wait_until(is_true, &waiter.entered);
    assert_int_equal(probe_wait_hold(waiter.tid, ROUND, &hold), THREAD_HELD);
    assert_int_equal(hold.leaf, (uintptr_t)waiter_run);
    assert_int_equal(hold.waits, probe_wait_now(waiter.tid));
    assert_int_not_equal(hold.registers.rsp, 0);
    atomic_store(&waiter.may_leave, true);
    unit_sleep_ms(50);
    assert_false(atomic_load(&waiter.left));
    probe_wait_release(waiter.tid);
    unit_join(waiter.thread);
    assert_true(atomic_load(&waiter.left));
}

static void an_asked_thread_does_not_begin_a_wait(void **state)
{
    (void)state;
    struct waiter waiter = {.may_leave = true};
    struct thread_hold hold = {0};
    waiter_start(&waiter);
    pid_t tid = waiter.tid;
    assert_int_equal(probe_wait_now(tid), 0);
    assert_int_equal(probe_wait_hold(tid, ROUND, &hold), THREAD_TO_BE_ASKED);
    atomic_store(&waiter.may_enter, true);
    unit_sleep_ms(50);
    assert_false(atomic_load(&waiter.entered));
    probe_wait_given_up(tid, ROUND - 1); /* a late word about an earlier round */
    unit_sleep_ms(50);
    assert_false(atomic_load(&waiter.entered));
    probe_wait_given_up(tid, ROUND);
    unit_join(waiter.thread);
    assert_true(atomic_load(&waiter.left));
    probe_wait_sweep(ROUND + 1);
    assert_int_equal(probe_wait_now(tid), 0);
}

static void a_wait_in_a_wait_shows_the_inner_one(void **state)
{
    (void)state;
    struct wait_frame outer = {.function = &outer};
    struct wait_frame *inner = &(struct wait_frame){.function = &inner};
    /* The stack grows down: the inner one has the lower address. */
    struct wait_frame frames[2] = {*inner, outer};
    struct thread_hold hold;
    probe_wait_enter(&frames[1]);
    probe_wait_enter(&frames[0]);
    assert_int_equal(probe_wait_hold(gettid(), ROUND, &hold), THREAD_HELD);
    assert_int_equal(hold.leaf, (uintptr_t)frames[0].function);
    probe_wait_release(gettid());
    uint64_t number = probe_wait_now(gettid());
    probe_wait_leave(&frames[0]);
    assert_true(probe_wait_inside());
    assert_true(probe_wait_now(gettid()) > number);
    assert_int_equal(probe_wait_hold(gettid(), ROUND, &hold), THREAD_HELD);
    assert_int_equal(hold.leaf, (uintptr_t)frames[1].function);
    probe_wait_release(gettid());
    probe_wait_leave(&frames[1]);
    assert_false(probe_wait_inside());
    assert_int_equal(probe_wait_now(gettid()), 0);
}

static void an_abandoned_wait_is_over(void **state)
{
    (void)state;
    struct wait_frame frame = {.function = &frame};
    probe_wait_enter(&frame);
    assert_true(probe_wait_inside());
    probe_wait_abandon();
    assert_false(probe_wait_inside());
    assert_int_equal(probe_wait_now(gettid()), 0);
    probe_wait_leave(&frame); /* changes nothing */
    assert_int_equal(probe_wait_now(gettid()), 0);
}

/* A frame whose memory no longer says the same, as after a jump that nobody saw. */
static void a_stale_wait_is_not_read(void **state)
{
    (void)state;
    struct thread_hold hold;
    struct wait_frame frame = {.function = &frame};
    probe_wait_enter(&frame);
    struct wait_record *record = frame.record;
    frame.record = NULL;
    assert_int_equal(probe_wait_hold(gettid(), ROUND, &hold), THREAD_TO_BE_ASKED);
    probe_wait_answered(ROUND);
    frame.record = record;
    probe_wait_leave(&frame);
    assert_int_equal(probe_wait_now(gettid()), 0);
}

static void a_forked_child_has_its_own_record(void **state)
{
    (void)state;
    struct wait_frame outer = {.function = &outer};
    /* Forked in a signal handler, during a wait. */
    probe_wait_enter(&outer);
    assert_int_not_equal(probe_wait_now(gettid()), 0);
    pid_t child = fork();
    if (child == 0) {
        struct wait_frame frame = {.function = &frame};
        probe_wait_records_fork_child();
        bool right = !probe_wait_inside() && probe_wait_now(getppid()) == 0;
        probe_wait_enter(&frame);
        right = right && probe_wait_now(gettid()) != 0;
        probe_wait_leave(&frame);
        probe_wait_leave(&outer);
        _exit(right && probe_wait_now(gettid()) == 0 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    probe_wait_leave(&outer);
    assert_int_equal(probe_wait_now(gettid()), 0);
}

static int group_setup(void **state)
{
    (void)state;
    return probe_wait_records_start();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_held_thread_does_not_leave),
        cmocka_unit_test(an_asked_thread_does_not_begin_a_wait),
        cmocka_unit_test(a_wait_in_a_wait_shows_the_inner_one),
        cmocka_unit_test(an_abandoned_wait_is_over),
        cmocka_unit_test(a_stale_wait_is_not_read),
        cmocka_unit_test(a_forked_child_has_its_own_record),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
