/*
 * Tests of plans: what the answer of several calls is.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "server/leak_plan.h"
#include "unit.h"

/* What the calls of the only scenario answer, one after another. */
static const char *const *next;

static int run(const struct scenario_request *request, struct scenario_answer *answer)
{
    (void)request;
    scenario_answer_set(answer, "%s", *next++);
    return 0;
}

static const struct scenario one = {.name = "one", .family = "one", .run = run};
const struct scenario *const scenarios[] = {&one};
const size_t scenario_count = 1;

/* The answer of calls with these answers; NULL: not finished. */
static const char *answer_of(const char *const *answers, unsigned count)
{
    static char text[200];
    static const struct server_settings settings = {.directory = "/tmp"};
    atomic_ulong calls = 0;
    struct lab lab = {.settings = &settings, .calls = &calls};
    context_init(&lab.running, NULL);
    struct step step = {.scenario = &one};
    struct plan plan = {.count = count, .step_count = 1, .steps = &step};
    const struct step *failed;
    unsigned done;
    next = answers;
    int error = leak_plan_run(&lab, &plan, clock_now_ms(), &failed, &done);
    context_finish(&lab.running);
    assert_int_equal(error, 0);
    assert_int_equal(calls, count);
    return leak_plan_answer(&plan, &step, text, sizeof(text)) ? text : NULL;
}

#define ANSWERS(...) ((const char *const[]){__VA_ARGS__})

static void equal_answers_are_counted(void **state)
{
    (void)state;
    assert_string_equal(answer_of(ANSWERS("a"), 1), "a");
    assert_string_equal(answer_of(ANSWERS("a", "a", "a"), 3), "3 x a");
}

static void first_other_answer_is_told(void **state)
{
    (void)state;
    assert_string_equal(answer_of(ANSWERS("a", "a", "b", "c"), 4), "a, but call 3: b");
}

/* Whichever call it is, and whatever the others say. */
static void one_unfinished_call_leaves_none(void **state)
{
    (void)state;
    assert_null(answer_of(ANSWERS(""), 1));
    assert_null(answer_of(ANSWERS("", "a"), 2));
    assert_null(answer_of(ANSWERS("a", "", "b"), 3));
    assert_null(answer_of(ANSWERS("a", "b", ""), 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_answers_are_counted),
        cmocka_unit_test(first_other_answer_is_told),
        cmocka_unit_test(one_unfinished_call_leaves_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
