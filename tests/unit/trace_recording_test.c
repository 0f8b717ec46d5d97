/*
 * Tests of the recording behind the timeline: spans merge while the rounds see the
 * same, nest, and end with their thread; a maximum is never passed; and of how often a
 * round is taken.
 */
#include <string.h>

#include "probe/trace/trace_rate.h"
#include "probe/trace/trace_recording.h"
#include "unit.h"

enum { MAIN = 0x1000, SERVE = 0x2000, PARSE = 0x3000, WRITE = 0x4000 };

static struct trace_recording recording;

static int setup(void **state)
{
    (void)state;
    probe_recording_init(&recording, 4, 100);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    probe_recording_release(&recording);
    return 0;
}

/* This round sees the thread in these functions (the outermost first, 0 ends them),
 * `offset` bytes behind their beginning. */
static void see(pid_t tid, enum trace_doing doing, uintptr_t offset,
                const uintptr_t *functions)
{
    struct trace_frame frames[8];
    struct trace_sight sight = {.frames = frames, .doing = doing, .call = -1};
    while (functions[sight.depth] != 0) {
        frames[sight.depth].function = functions[sight.depth];
        frames[sight.depth].address = functions[sight.depth] + offset;
        sight.depth++;
    }
    struct trace_thread *thread = probe_recording_see(&recording, tid, NULL);
    if (thread != NULL) {
        probe_recording_add(&recording, thread, &sight);
    }
}

#define SEE(tid, doing, offset, ...)                                                   \
    see(tid, doing, offset, (const uintptr_t[]){__VA_ARGS__, 0})

static void expect_span(size_t number, uintptr_t function, enum trace_doing doing,
                        int64_t begin_us, int64_t end_us)
{
    assert_true(number < recording.span_count);
    const struct trace_span *span = probe_recording_span(&recording, number);
    assert_int_equal(span->function, function);
    assert_int_equal(span->doing, doing);
    assert_int_equal(span->begin_us, begin_us);
    assert_int_equal(span->end_us, end_us);
}

static void equal_sights_are_one_span(void **state)
{
    (void)state;
    for (int64_t at = 0; at <= 300; at += 100) {
        probe_recording_round(&recording, at);
        SEE(1, TRACE_WAITS, 8, MAIN, SERVE);
        probe_recording_round_end(&recording);
    }
    probe_recording_finish(&recording);
    /* MAIN is the thread's life, and no span. */
    assert_int_equal(recording.span_count, 2);
    expect_span(0, SERVE, TRACE_CALLS, 0, 300);
    expect_span(1, SERVE, TRACE_WAITS, 0, 300);
    assert_int_equal(probe_recording_span(&recording, 1)->parent, 0);
    assert_false(probe_recording_span(&recording, 1)->moved);
    assert_int_equal(probe_recording_thread(&recording, 0)->start, MAIN);
    assert_int_equal(probe_recording_thread(&recording, 0)->end_us, -1);
}

static void an_outer_function_goes_on_while_inner_ones_change(void **state)
{
    (void)state;
    probe_recording_round(&recording, 0);
    SEE(1, TRACE_RUNS, 8, MAIN, SERVE, PARSE);
    probe_recording_round(&recording, 100);
    SEE(1, TRACE_RUNS, 16, MAIN, SERVE, WRITE);
    probe_recording_round(&recording, 200);
    SEE(1, TRACE_WAITS, 16, MAIN, SERVE, WRITE);
    probe_recording_round(&recording, 300);
    SEE(1, TRACE_WAITS, 16, MAIN);
    probe_recording_round(&recording, 400);
    probe_recording_finish(&recording);
    assert_int_equal(recording.span_count, 7);
    expect_span(0, SERVE, TRACE_CALLS, 0, 300);
    expect_span(1, PARSE, TRACE_CALLS, 0, 100);
    expect_span(2, PARSE, TRACE_RUNS, 0, 100);
    expect_span(3, WRITE, TRACE_CALLS, 100, 300);
    expect_span(4, WRITE, TRACE_RUNS, 100, 200);
    expect_span(5, WRITE, TRACE_WAITS, 200, 300);
    expect_span(6, MAIN, TRACE_WAITS, 300, 400);
    assert_true(probe_recording_span(&recording, 0)->moved);
    assert_int_equal(probe_recording_span(&recording, 5)->parent, 3);
    assert_int_equal(probe_recording_span(&recording, 6)->parent, TRACE_NONE);
}

static void a_function_that_calls_itself_has_a_span_for_each_call(void **state)
{
    (void)state;
    probe_recording_round(&recording, 0);
    SEE(1, TRACE_RUNS, 8, MAIN, PARSE, PARSE);
    probe_recording_round(&recording, 100);
    SEE(1, TRACE_RUNS, 8, MAIN, PARSE, PARSE, PARSE);
    probe_recording_round(&recording, 200);
    probe_recording_finish(&recording);
    assert_int_equal(recording.span_count, 5);
    expect_span(1, PARSE, TRACE_CALLS, 0, 200);
    expect_span(2, PARSE, TRACE_RUNS, 0, 100);
    expect_span(3, PARSE, TRACE_CALLS, 100, 200);
}

static void a_thread_that_a_round_does_not_see_has_ended(void **state)
{
    (void)state;
    probe_recording_round(&recording, 0);
    SEE(1, TRACE_WAITS, 8, MAIN, SERVE);
    SEE(2, TRACE_WAITS, 8, MAIN, PARSE);
    probe_recording_round_end(&recording);
    probe_recording_round(&recording, 100);
    SEE(1, TRACE_WAITS, 8, MAIN, SERVE);
    probe_recording_round_end(&recording);
    assert_true(probe_recording_knows(&recording, 1));
    assert_false(probe_recording_knows(&recording, 2));
    probe_recording_round(&recording, 200);
    probe_recording_finish(&recording);
    assert_int_equal(probe_recording_thread(&recording, 0)->end_us, -1);
    assert_int_equal(probe_recording_thread(&recording, 1)->end_us, 100);
    expect_span(1, SERVE, TRACE_WAITS, 0, 200);
    expect_span(3, PARSE, TRACE_WAITS, 0, 100);
}

static void a_thread_begins_when_the_kernel_says_but_not_before_a_round(void **state)
{
    (void)state;
    static const int64_t births[] = {-5000000, 199000, 50000, 250000};
    static const int64_t begins[] = {0, 199000, 100000, 200000};
    probe_recording_round(&recording, 0);
    probe_recording_see(&recording, 1, &births[0]);
    probe_recording_round(&recording, 100000);
    probe_recording_round(&recording, 200000);
    for (int i = 1; i < 4; i++) {
        probe_recording_see(&recording, i + 1, &births[i]);
    }
    for (int i = 0; i < 4; i++) {
        const struct trace_thread *thread = probe_recording_thread(&recording, i);
        assert_int_equal(thread->born_us, births[i]);
        assert_int_equal(thread->begin_us, begins[i]);
    }
}

static void an_id_that_is_used_again_is_another_thread(void **state)
{
    (void)state;
    int64_t born_us = -1000000;
    probe_recording_round(&recording, 0);
    probe_recording_see(&recording, 7, &born_us);
    SEE(7, TRACE_WAITS, 8, SERVE);
    probe_recording_round(&recording, 500000);
    probe_recording_see(&recording, 7, &born_us);
    probe_recording_round_end(&recording);
    assert_int_equal(recording.thread_count, 1);
    probe_recording_round(&recording, 600000);
    born_us = 550000;
    probe_recording_see(&recording, 7, &born_us);
    assert_int_equal(recording.thread_count, 2);
    /* It has ended before the other began: one id, one row, and no overlap. */
    assert_int_equal(probe_recording_thread(&recording, 0)->end_us, 550000);
    expect_span(0, SERVE, TRACE_WAITS, 0, 550000);
    assert_int_equal(probe_recording_thread(&recording, 1)->begin_us, 550000);
    assert_true(probe_recording_knows(&recording, 7));
    /* The kernel's time of birth is the same in every reading, so 10 ms are enough. */
    born_us += 10000;
    probe_recording_see(&recording, 7, &born_us);
    assert_int_equal(recording.thread_count, 3);
}

static void a_thread_without_an_answer_is_silent(void **state)
{
    (void)state;
    probe_recording_round(&recording, 0);
    see(1, TRACE_SILENT, 0, (const uintptr_t[]){0});
    probe_recording_round(&recording, 100);
    SEE(1, TRACE_WAITS, 8, MAIN);
    probe_recording_round(&recording, 200);
    probe_recording_finish(&recording);
    assert_int_equal(recording.span_count, 2);
    expect_span(0, 0, TRACE_SILENT, 0, 100);
    expect_span(1, MAIN, TRACE_WAITS, 100, 200);
    assert_int_equal(probe_recording_thread(&recording, 0)->start, MAIN);
}

static void a_recording_stays_within_its_maxima(void **state)
{
    (void)state;
    probe_recording_round(&recording, 0);
    for (pid_t tid = 1; tid <= 4; tid++) {
        SEE(tid, TRACE_WAITS, 8, MAIN);
    }
    assert_false(recording.full);
    assert_null(probe_recording_see(&recording, 5, NULL));
    assert_true(recording.full);
    assert_int_equal(recording.thread_count, 4);
    recording.full = false;
    for (int i = 0; i < 200; i++) {
        probe_recording_round(&recording, i);
        SEE(1, i % 2 == 0 ? TRACE_RUNS : TRACE_WAITS, 8, MAIN, SERVE);
    }
    assert_true(recording.full);
    assert_int_equal(recording.span_count, 100);
    probe_recording_finish(&recording);
    for (size_t i = 0; i < recording.span_count; i++) {
        assert_true(probe_recording_span(&recording, i)->end_us >= 0);
    }
}

static void a_dear_round_is_taken_less_often(void **state)
{
    (void)state;
    int64_t ms = CLOCK_NS_PER_MS;
    assert_int_equal(probe_trace_interval(0), 100 * ms);
    assert_int_equal(probe_trace_interval(1 * ms), 100 * ms);
    for (int64_t cost = 4 * ms; cost < 4000 * ms; cost *= 3) {
        int64_t interval = probe_trace_interval(cost);
        assert_true(interval > 100 * ms);
        assert_true(cost * 100 <= interval * 4);
        assert_true(cost * 100 >= interval * 2);
    }
}

#define RECORDING_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECORDING_TEST(equal_sights_are_one_span),
        RECORDING_TEST(an_outer_function_goes_on_while_inner_ones_change),
        RECORDING_TEST(a_function_that_calls_itself_has_a_span_for_each_call),
        RECORDING_TEST(a_thread_that_a_round_does_not_see_has_ended),
        RECORDING_TEST(a_thread_begins_when_the_kernel_says_but_not_before_a_round),
        RECORDING_TEST(an_id_that_is_used_again_is_another_thread),
        RECORDING_TEST(a_thread_without_an_answer_is_silent),
        RECORDING_TEST(a_recording_stays_within_its_maxima),
        RECORDING_TEST(a_dear_round_is_taken_less_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
