/*
 * Tests of heap snapshots from the recorder: the same figures in profile.proto and in
 * gperftools' text, samples as each format wants them, and what is missing is said.
 */
#include "probe/heap/heap_snapshot.h"

#include <string.h>

#include "heap_totals.h"
#include "proto_reader.h"
#include "unit.h"

#define SMALL 2 /* which stacks there are */
#define PERIOD 524288

__attribute__((noinline)) static int payload_read(int value)
{
    return value + 1;
}

__attribute__((noinline)) static int request_serve(int value)
{
    return value + 2;
}

static uintptr_t inside(int (*function)(int))
{
    return (uintptr_t)function;
}

/* A snapshot of three stacks: a small one, a large one, and one of which all is freed.
 */
static struct heap_snapshot snapshot_make(int64_t period, int64_t times)
{
    static const int64_t values[][STACK_VALUES] = {
        {3, 30, 1, 10}, {8, 8000, 5, 5000}, {2, 14, 0, 0}};
    uintptr_t frames[][2] = {
        {inside(request_serve), inside(request_serve)},
        {inside(payload_read), inside(request_serve)},
        {inside(request_serve), inside(payload_read)},
    };
    struct heap_snapshot snapshot = {.period = period};
    for (size_t i = 0; i < 3; i++) {
        int64_t scaled[STACK_VALUES];
        for (size_t j = 0; j < STACK_VALUES; j++) {
            scaled[j] = values[i][j] * times;
        }
        assert_int_equal(probe_stacks_add(&snapshot.stacks, frames[i], 2, scaled, NULL),
                         0);
    }
    return snapshot;
}

static const char *comment_of(const struct buffer *buffer)
{
    struct proto profile = proto_of(buffer);
    return profile_string(profile, proto_number(profile, 13));
}

static void proto_has_the_figures_and_names_of_the_stacks(void **state)
{
    (void)state;
    struct heap_snapshot snapshot = snapshot_make(1, 1);
    struct buffer buffer = {0};
    assert_int_equal(probe_heap_snapshot_proto(&snapshot, HEAP_VIEW_INUSE, &buffer), 0);
    assert_totals(&buffer, 13, 8044, 6, 5010);
    struct profile_sample sample;
    assert_true(profile_sample_in(proto_of(&buffer), 0, "payload_read", &sample));
    assert_int_equal(sample.values[HEAP_INUSE_SPACE], 5000);
    assert_int_equal(sample.depth, 2);
    assert_int_equal(proto_number(proto_of(&buffer), 12), 1);
    assert_string_equal(comment_of(&buffer), "");
    buffer_release(&buffer);
    probe_heap_snapshot_release(&snapshot);
}

/* A reader of profile.proto scales nothing: the values are those of the heap, and the
 * period is there to be read. */
static void proto_of_samples_says_their_period(void **state)
{
    (void)state;
    struct heap_snapshot snapshot = snapshot_make(PERIOD, 100);
    struct buffer buffer = {0};
    assert_int_equal(probe_heap_snapshot_proto(&snapshot, HEAP_VIEW_ALLOCS, &buffer),
                     0);
    struct proto profile = proto_of(&buffer);
    struct proto type;
    assert_int_equal(proto_number(profile, 12), PERIOD);
    assert_true(proto_message(profile, 11, 0, &type));
    assert_string_equal(profile_string(profile, proto_number(type, 1)), "space");
    assert_string_equal(profile_string(profile, proto_number(type, 2)), "bytes");
    assert_string_equal(profile_string(profile, proto_number(profile, 14)),
                        "alloc_space");
    assert_totals(&buffer, 1300, 804400, 600, 501000);
    buffer_release(&buffer);
    probe_heap_snapshot_release(&snapshot);
}

/* What gperftools' text has, read again by the parser of gperftools' text. */
static void text_is_read_as_that_of_gperftools(void **state)
{
    (void)state;
    struct heap_snapshot snapshot = snapshot_make(1, 1);
    struct buffer text = {0};
    assert_int_equal(probe_heap_snapshot_text(&snapshot, &text), 0);
    assert_int_equal(
        strncmp(text.data, "heap profile:      6:     5010 [    13:     8044] @ ", 49),
        0);
    struct heap_text parsed;
    assert_int_equal(probe_heap_text_parse(text.data, &parsed), 0);
    assert_false(parsed.is_cut);
    assert_int_equal(parsed.stacks.count, 3);
    /* The largest first; the addresses inside the calls are the same again. */
    const struct stack *first = probe_stacks_at(&parsed.stacks, 0);
    assert_int_equal(first->values[HEAP_INUSE_SPACE], 5000);
    assert_int_equal(first->values[HEAP_ALLOC_OBJECTS], 8);
    assert_int_equal(probe_stacks_frames(&parsed.stacks, first)[0],
                     inside(payload_read));
    const struct stack *last = probe_stacks_at(&parsed.stacks, SMALL);
    assert_int_equal(last->values[HEAP_INUSE_SPACE], 0);
    assert_non_null(strstr(text.data, "\n\nMAPPED_LIBRARIES:\n"));
    assert_non_null(strstr(strstr(text.data, "MAPPED"), "heap_snapshot_test"));
    probe_heap_text_release(&parsed);
    buffer_release(&text);
    probe_heap_snapshot_release(&snapshot);
}

static void text_with_comments_names_each_frame(void **state)
{
    (void)state;
    struct heap_snapshot snapshot = snapshot_make(1, 1);
    struct buffer text = {0};
    assert_int_equal(probe_heap_snapshot_comments(&snapshot, &text), 0);
    const char *named = strstr(text.data, "\tpayload_read+0x1\t");
    const char *caller = strstr(text.data, "\trequest_serve+0x1\t");
    assert_non_null(named);
    assert_true(caller > named);
    assert_non_null(strstr(named, "tests/unit/heap_snapshot_test.c:"));
    buffer_release(&text);
    probe_heap_snapshot_release(&snapshot);
}

static void text_of_samples_says_that_it_is_one(void **state)
{
    (void)state;
    struct heap_snapshot snapshot = snapshot_make(PERIOD, 1);
    struct buffer text = {0};
    assert_int_equal(probe_heap_snapshot_text(&snapshot, &text), 0);
    assert_non_null(strstr(text.data, "] @ heap_v2/524288\n"));
    buffer_release(&text);
    probe_heap_snapshot_release(&snapshot);
}

static void what_was_lost_is_in_every_form(void **state)
{
    (void)state;
    struct heap_snapshot snapshot = snapshot_make(1, 1);
    snapshot.lost = 77;
    struct buffer buffer = {0};
    assert_int_equal(probe_heap_snapshot_proto(&snapshot, HEAP_VIEW_INUSE, &buffer), 0);
    assert_non_null(strstr(comment_of(&buffer), "77 blocks were not noted"));
    buffer_release(&buffer);
    assert_int_equal(probe_heap_snapshot_text(&snapshot, &buffer), 0);
    assert_non_null(strstr(buffer.data, "\n# 77 blocks were not noted"));
    struct heap_text parsed;
    assert_int_equal(probe_heap_text_parse(buffer.data, &parsed), 0);
    assert_int_equal(parsed.stacks.count, 3);
    probe_heap_text_release(&parsed);
    buffer_release(&buffer);
    probe_heap_snapshot_release(&snapshot);
}

static void difference_is_what_came_in_between(void **state)
{
    (void)state;
    struct heap_snapshot before = snapshot_make(PERIOD, 2);
    struct heap_snapshot after = snapshot_make(PERIOD, 5);
    struct buffer buffer = {0};
    assert_int_equal(probe_heap_snapshot_difference(&before, &after, 7000000000,
                                                    HEAP_VIEW_INUSE, &buffer),
                     0);
    assert_totals(&buffer, 39, 24132, 18, 15030);
    assert_int_equal(proto_number(proto_of(&buffer), 10), 7000000000);
    assert_int_equal(proto_number(proto_of(&buffer), 12), PERIOD);
    buffer_release(&buffer);
    probe_heap_snapshot_release(&before);
    probe_heap_snapshot_release(&after);
}

/* A snapshot of gperftools' text, which was cut. */
static struct heap_snapshot gperftools_make(void)
{
    char *text = strdup("heap profile: 9: 900 [9: 900] @ heapprofile\n"
                        "5: 500 [5: 500] @ 0x1000\n");
    assert_non_null(text);
    return (struct heap_snapshot){.text = text, .period = 1};
}

static void text_leaves_the_heap_unchanged(void **state)
{
    (void)state;
    struct heap_snapshot snapshot = gperftools_make();
    const char *before = snapshot.text;
    assert_int_equal(probe_heap_snapshot_leave_heap(&snapshot), 0);
    assert_ptr_not_equal(snapshot.text, before);
    struct buffer text = {0};
    assert_int_equal(probe_heap_snapshot_text(&snapshot, &text), 0);
    assert_string_equal(text.data, "heap profile: 9: 900 [9: 900] @ heapprofile\n"
                                   "5: 500 [5: 500] @ 0x1000\n");
    buffer_release(&text);
    probe_heap_snapshot_release(&snapshot);
}

static void sums_are_of_what_is_in_use(void **state)
{
    (void)state;
    struct heap_snapshot snapshot = snapshot_make(1, 1);
    struct heap_sums sums;
    assert_int_equal(probe_heap_snapshot_sum(&snapshot, &sums), 0);
    assert_int_equal(sums.objects, 6);
    assert_int_equal(sums.bytes, 5010);
    assert_int_equal(sums.stacks, 2);
    /* gperftools' text that was cut: its header has the whole sum. */
    struct heap_snapshot gperftools = gperftools_make();
    assert_int_equal(probe_heap_snapshot_sum(&gperftools, &sums), 0);
    assert_int_equal(sums.objects, 9);
    assert_int_equal(sums.bytes, 900);
    assert_int_equal(sums.stacks, 1);
    probe_heap_snapshot_release(&snapshot);
    probe_heap_snapshot_release(&gperftools);
}

static void nothing_recorded_is_a_profile_too(void **state)
{
    (void)state;
    struct heap_snapshot snapshot = {.period = 1};
    struct buffer buffer = {0};
    assert_int_equal(probe_heap_snapshot_text(&snapshot, &buffer), 0);
    assert_int_equal(strncmp(buffer.data, "heap profile: ", 14), 0);
    buffer_release(&buffer);
    assert_int_equal(probe_heap_snapshot_proto(&snapshot, HEAP_VIEW_INUSE, &buffer), 0);
    assert_int_equal(proto_count(proto_of(&buffer), 2), 0);
    buffer_release(&buffer);
    probe_heap_snapshot_release(&snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proto_has_the_figures_and_names_of_the_stacks),
        cmocka_unit_test(proto_of_samples_says_their_period),
        cmocka_unit_test(text_is_read_as_that_of_gperftools),
        cmocka_unit_test(text_with_comments_names_each_frame),
        cmocka_unit_test(text_of_samples_says_that_it_is_one),
        cmocka_unit_test(what_was_lost_is_in_every_form),
        cmocka_unit_test(difference_is_what_came_in_between),
        cmocka_unit_test(text_leaves_the_heap_unchanged),
        cmocka_unit_test(sums_are_of_what_is_in_use),
        cmocka_unit_test(nothing_recorded_is_a_profile_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
