/*
 * Tests of contexts: which contexts end with which, and that a deadline works without a
 * timer or a thread.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "runtime/context.h"
#include "runtime/waiter.h"
#include "unit.h"

/* One thread that sleeps with a context, and the result. */
struct sleeper {
    struct context *context;
    unsigned ms;
    int result;
    pthread_t thread;
};

static void *sleeper_run(void *argument)
{
    struct sleeper *sleeper = argument;
    sleeper->result = context_sleep(sleeper->context, sleeper->ms);
    return NULL;
}

static void sleeper_start(struct sleeper *sleeper, struct context *context, unsigned ms)
{
    *sleeper = (struct sleeper){.context = context, .ms = ms, .result = 1};
    sleeper->thread = unit_thread(sleeper_run, sleeper);
}

static bool somebody_waits(void *argument)
{
    struct context *context = argument;
    waiters_lock();
    bool waits = context->waiting != NULL;
    waiters_unlock();
    return waits;
}

static void null_context_never_ends(void **state)
{
    (void)state;
    assert_int_equal(context_error(NULL), 0);
    long start = unit_now_ms();
    assert_int_equal(context_sleep(NULL, 20), 0);
    assert_true(unit_now_ms() - start >= 19);
    context_finish(NULL);
}

static void cancel_ends_it_and_its_children(void **state)
{
    (void)state;
    struct context root;
    struct context child;
    struct context grandchild;
    context_init(&root, NULL);
    context_init(&child, &root);
    context_init(&grandchild, &child);
    assert_int_equal(context_error(&grandchild), 0);
    context_cancel(&child);
    context_cancel(&child);
    assert_int_equal(context_error(&root), 0);
    assert_int_equal(context_error(&child), -ECANCELED);
    assert_int_equal(context_error(&grandchild), -ECANCELED);
    context_cancel(&root);
    assert_int_equal(context_error(&root), -ECANCELED);
    context_finish(&grandchild);
    context_finish(&child);
    context_finish(&root);
}

static void deadline_needs_nobody_to_wait(void **state)
{
    (void)state;
    struct context context;
    struct context child;
    struct context far;
    context_init_timeout(&far, NULL, 60000);
    context_init_timeout(&context, NULL, 30);
    context_init(&child, &context);
    assert_int_equal(context_error(&far), 0);
    unit_sleep_ms(40);
    assert_int_equal(context_error(&context), -ETIMEDOUT);
    assert_int_equal(context_error(&child), -ETIMEDOUT);
    assert_int_equal(context_error(&far), 0);
    context_finish(&child);
    context_finish(&context);
    context_finish(&far);
}

static void no_time_at_all_is_late_at_once(void **state)
{
    (void)state;
    struct context context;
    context_init_timeout(&context, NULL, 0);
    assert_int_equal(context_error(&context), -ETIMEDOUT);
    assert_int_equal(context_sleep(&context, 60000), -ETIMEDOUT);
    context_finish(&context);
}

static void earlier_deadline_counts(void **state)
{
    (void)state;
    struct context parent;
    struct context later;
    struct context earlier;
    context_init_timeout(&parent, NULL, 30);
    context_init_timeout(&later, &parent, 60000);
    long start = unit_now_ms();
    assert_int_equal(context_sleep(&later, 50000), -ETIMEDOUT);
    long took = unit_now_ms() - start;
    assert_true(took < UNIT_PATIENCE_MS);
    assert_int_equal(context_error(&later), -ETIMEDOUT);
    context_finish(&later);
    context_finish(&parent);

    context_init_timeout(&parent, NULL, 60000);
    context_init_timeout(&earlier, &parent, 10);
    assert_int_equal(context_sleep(&earlier, 50000), -ETIMEDOUT);
    assert_int_equal(context_error(&earlier), -ETIMEDOUT);
    assert_int_equal(context_error(&parent), 0);
    context_finish(&earlier);
    context_finish(&parent);
}

static void first_reason_stays(void **state)
{
    (void)state;
    struct context cancelled;
    struct context late;
    struct context parent;
    struct context child;
    context_init_timeout(&cancelled, NULL, 30);
    context_cancel(&cancelled);
    context_init_timeout(&late, NULL, 5);
    context_init(&parent, NULL);
    context_init_timeout(&child, &parent, 5);
    unit_sleep_ms(40);
    context_cancel(&late);
    context_cancel(&cancelled);
    context_cancel(&parent);
    assert_int_equal(context_error(&cancelled), -ECANCELED);
    assert_int_equal(context_error(&late), -ETIMEDOUT);
    assert_int_equal(context_error(&child), -ETIMEDOUT);
    assert_int_equal(context_error(&parent), -ECANCELED);
    context_finish(&child);
    context_finish(&parent);
    context_finish(&late);
    context_finish(&cancelled);
}

static void deadlines_are_normal_times(void **state)
{
    (void)state;
    for (unsigned ms = 0; ms < 3000; ms += 37) {
        struct timespec before;
        clock_gettime(CLOCK_MONOTONIC, &before);
        struct context context;
        context_init_timeout(&context, NULL, ms);
        assert_true(context.deadline.tv_nsec >= 0);
        assert_true(context.deadline.tv_nsec < 1000000000);
        long after_ms = (long)(context.deadline.tv_sec - before.tv_sec) * 1000 +
                        (context.deadline.tv_nsec - before.tv_nsec) / 1000000;
        assert_true(after_ms >= (long)ms && after_ms < (long)ms + UNIT_PATIENCE_MS);
        context_finish(&context);
    }
    struct context context;
    context_init_timeout(&context, NULL, UINT32_MAX);
    assert_int_equal(context_error(&context), 0);
    context_finish(&context);
}

static void sleep_takes_its_time(void **state)
{
    (void)state;
    struct context context;
    context_init_timeout(&context, NULL, 60000);
    long start = unit_now_ms();
    assert_int_equal(context_sleep(&context, 25), 0);
    assert_true(unit_now_ms() - start >= 24);
    assert_int_equal(context_sleep(&context, 0), 0);
    assert_false(somebody_waits(&context));
    context_finish(&context);
}

static long processor_ms(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (long)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

/* With the wrong clock a wait would return at once, again and again. */
static void waiting_takes_no_processor_time(void **state)
{
    (void)state;
    long before = processor_ms();
    assert_int_equal(context_sleep(NULL, 200), 0);
    assert_true(processor_ms() - before < 100);
}

static void cancel_wakes_everyone(void **state)
{
    (void)state;
    struct context root;
    struct context child;
    struct context grandchild;
    context_init(&root, NULL);
    context_init_timeout(&child, &root, 60000);
    context_init(&grandchild, &child);
    struct context *line[] = {&root, &child, &grandchild};
    struct sleeper sleepers[18];
    for (size_t i = 0; i < 18; i++) {
        sleeper_start(&sleepers[i], line[i % 3], 50000);
    }
    unit_wait_until(somebody_waits, &grandchild);
    long start = unit_now_ms();
    context_cancel(&root);
    for (size_t i = 0; i < 18; i++) {
        unit_join(sleepers[i].thread);
        assert_int_equal(sleepers[i].result, -ECANCELED);
    }
    assert_true(unit_now_ms() - start < UNIT_PATIENCE_MS);
    for (size_t i = 0; i < 3; i++) {
        assert_false(somebody_waits(line[i]));
    }
    context_finish(&grandchild);
    context_finish(&child);
    context_finish(&root);
}

static void cancelled_child_leaves_parents_waiters(void **state)
{
    (void)state;
    struct context root;
    struct context child;
    context_init(&root, NULL);
    context_init(&child, &root);
    struct sleeper of_root;
    struct sleeper of_child;
    sleeper_start(&of_root, &root, 50000);
    unit_wait_until(somebody_waits, &root);
    sleeper_start(&of_child, &child, 50000);
    unit_wait_until(somebody_waits, &child);
    context_cancel(&child);
    unit_join(of_child.thread);
    assert_int_equal(of_child.result, -ECANCELED);
    assert_true(somebody_waits(&root));
    context_cancel(&root);
    unit_join(of_root.thread);
    context_finish(&child);
    context_finish(&root);
}

static void on_signal(int signal)
{
    (void)signal;
}

static void signals_do_not_shorten_sleep(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    assert_int_equal(sigaction(SIGRTMIN + 2, &action, NULL), 0);
    struct sleeper sleeper;
    long start = unit_now_ms();
    sleeper_start(&sleeper, NULL, 60);
    for (int i = 0; i < 20; i++) {
        pthread_kill(sleeper.thread, SIGRTMIN + 2);
        unit_sleep_ms(1);
    }
    unit_join(sleeper.thread);
    assert_int_equal(sleeper.result, 0);
    assert_true(unit_now_ms() - start >= 59);
}

static void *cancel_run(void *argument)
{
    context_cancel(argument);
    return NULL;
}

/* The thread that was woken may end the context and free it at once, even if
 * context_cancel has not returned yet. Sanitizers and Valgrind report an error if the
 * cancelling thread still uses it. */
static void context_may_go_after_wake_up(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        struct context *context = malloc(sizeof(*context));
        assert_non_null(context);
        context_init(context, NULL);
        pthread_t canceller = unit_thread(cancel_run, context);
        assert_int_equal(context_sleep(context, 50000), -ECANCELED);
        context_finish(context);
        free(context);
        unit_join(canceller);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_context_never_ends),
        cmocka_unit_test(cancel_ends_it_and_its_children),
        cmocka_unit_test(deadline_needs_nobody_to_wait),
        cmocka_unit_test(no_time_at_all_is_late_at_once),
        cmocka_unit_test(earlier_deadline_counts),
        cmocka_unit_test(first_reason_stays),
        cmocka_unit_test(deadlines_are_normal_times),
        cmocka_unit_test(sleep_takes_its_time),
        cmocka_unit_test(waiting_takes_no_processor_time),
        cmocka_unit_test(cancel_wakes_everyone),
        cmocka_unit_test(cancelled_child_leaves_parents_waiters),
        cmocka_unit_test(signals_do_not_shorten_sleep),
        cmocka_unit_test(context_may_go_after_wake_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
