/*
 * Who of those that wait never goes on: small cases, and random ones against a model
 * that follows each wait for itself.
 */
#include <stdlib.h>

#include "probe/locks/lock_graph.h"
#include "unit.h"

#define GRAPHS 20000
#define WAITS_MAX 12

/* What the graph should say of one wait, by going on from it step by step. */
static enum lock_verdict model(const struct lock_link *links, size_t count,
                               size_t start)
{
    size_t at = start;
    for (size_t steps = 0; steps <= count; steps++) {
        if (!links[at].certain) {
            return LOCK_WAITS;
        }
        if (links[at].ended) {
            return at == start ? LOCK_NEVER_RELEASED : LOCK_STUCK;
        }
        if (links[at].next == LOCK_NO_NEXT) {
            return LOCK_WAITS;
        }
        at = links[at].next;
        if (at == start) {
            return LOCK_DEADLOCK;
        }
    }
    return LOCK_STUCK; /* it runs into a cycle */
}

static void check(const struct lock_link *links, size_t count)
{
    enum lock_verdict verdicts[WAITS_MAX];
    probe_lock_judge(links, count, verdicts);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(verdicts[i], model(links, count, i));
    }
}

static void two_wait_for_each_other_and_a_third_for_them(void **state)
{
    (void)state;
    const struct lock_link links[] = {
        {true, false, 1}, {true, false, 0}, {true, false, 0}};
    enum lock_verdict verdicts[3];
    probe_lock_judge(links, 3, verdicts);
    assert_int_equal(verdicts[0], LOCK_DEADLOCK);
    assert_int_equal(verdicts[1], LOCK_DEADLOCK);
    assert_int_equal(verdicts[2], LOCK_STUCK);
}

static void a_time_limit_breaks_a_cycle(void **state)
{
    (void)state;
    const struct lock_link links[] = {{true, false, 1}, {false, false, 0}};
    enum lock_verdict verdicts[2];
    probe_lock_judge(links, 2, verdicts);
    assert_int_equal(verdicts[0], LOCK_WAITS);
    assert_int_equal(verdicts[1], LOCK_WAITS);
}

static void who_waits_for_an_ended_thread_holds_up_others(void **state)
{
    (void)state;
    const struct lock_link links[] = {
        {true, true, LOCK_NO_NEXT}, {true, false, 0}, {true, false, 1}};
    enum lock_verdict verdicts[3];
    probe_lock_judge(links, 3, verdicts);
    assert_int_equal(verdicts[0], LOCK_NEVER_RELEASED);
    assert_int_equal(verdicts[1], LOCK_STUCK);
    assert_int_equal(verdicts[2], LOCK_STUCK);
}

static void a_thread_can_wait_for_itself(void **state)
{
    (void)state;
    const struct lock_link link = {true, false, 0};
    enum lock_verdict verdict;
    probe_lock_judge(&link, 1, &verdict);
    assert_int_equal(verdict, LOCK_DEADLOCK);
}

static void nobody_waits(void **state)
{
    (void)state;
    probe_lock_judge(NULL, 0, NULL);
}

static void random_graphs_are_as_the_model_says(void **state)
{
    (void)state;
    srand(4711);
    for (int graph = 0; graph < GRAPHS; graph++) {
        struct lock_link links[WAITS_MAX];
        size_t count = 1 + (size_t)rand() % WAITS_MAX;
        for (size_t i = 0; i < count; i++) {
            links[i].certain = rand() % 8 != 0;
            links[i].ended = rand() % 8 == 0;
            links[i].next = rand() % 8 == 0 ? LOCK_NO_NEXT : (size_t)rand() % count;
        }
        check(links, count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_wait_for_each_other_and_a_third_for_them),
        cmocka_unit_test(a_time_limit_breaks_a_cycle),
        cmocka_unit_test(who_waits_for_an_ended_thread_holds_up_others),
        cmocka_unit_test(a_thread_can_wait_for_itself),
        cmocka_unit_test(nobody_waits),
        cmocka_unit_test(random_graphs_are_as_the_model_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
