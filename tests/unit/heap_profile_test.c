/*
 * Tests of heap profiles: the totals are exact, the names are right, and no input does
 * harm.
 */
#include "probe/heap/heap_profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap_totals.h"
#include "probe/symbols/symbols.h"
#include "proto_reader.h"
#include "unit.h"

#define THIS_FILE "tests/unit/heap_profile_test.c"

static const unsigned payload_line = __LINE__ + 1;
__attribute__((noinline)) static int payload_read(int value)
{
    return value + 1;
}

__attribute__((noinline)) static int request_serve(int value)
{
    return value + 2;
}

/* The return address that gperftools writes for a call at the first byte of a
 * function. */
static unsigned long long returns_to(int (*function)(int))
{
    return (uintptr_t)function + 1;
}

/* A text with two stacks, as GetHeapProfile writes it. `header` has its totals. */
static char *text_make(const char *header)
{
    static char text[2000];
    snprintf(text, sizeof(text),
             "heap profile: %s @ heapprofile\n"
             "     5:  5000000 [     7:  7000000] @ 0x%llx 0x%llx\n"
             "     0:        0 [     1:       10] @ 0x%llx\n"
             "\n"
             "MAPPED_LIBRARIES:\n"
             "55f6c0000000-55f6c0001000 r-xp 00000000 00:00 10952899    /tmp/x\n",
             header, returns_to(payload_read), returns_to(request_serve),
             returns_to(request_serve));
    return text;
}

#define LONG_ADDRESS                                                                   \
    "heap profile: 1: 2 [1: 2] @ heapprofile\n"                                        \
    "1: 2 [1: 2] @ 0x11112222333344445\n1: 2 [1: 2] @ 0x1\n"
#define WHOLE "     5:  5000000 [     8:  7000010]"
#define CUT "     7:  5000099 [    10:  7000123]"

static struct buffer proto_make(const char *text)
{
    struct buffer buffer = {0};
    assert_int_equal(probe_heap_profile_proto(text, HEAP_VIEW_INUSE, &buffer), 0);
    assert_int_equal(buffer.error, 0);
    return buffer;
}

static void proto_has_the_totals_of_the_text(void **state)
{
    (void)state;
    struct buffer buffer = proto_make(text_make(WHOLE));
    assert_totals(&buffer, 8, 7000010, 5, 5000000);
    buffer_release(&buffer);
}

static void proto_says_what_its_values_are(void **state)
{
    (void)state;
    static const char *const types[] = {"alloc_objects", "alloc_space", "inuse_objects",
                                        "inuse_space"};
    static const char *const units[] = {"count", "bytes", "count", "bytes"};
    struct buffer buffer = proto_make(text_make(WHOLE));
    struct proto profile = proto_of(&buffer);
    struct proto type;
    assert_int_equal(proto_count(profile, 1), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_true(proto_message(profile, 1, i, &type));
        assert_string_equal(profile_string(profile, proto_number(type, 1)), types[i]);
        assert_string_equal(profile_string(profile, proto_number(type, 2)), units[i]);
    }
    assert_string_equal(profile_string(profile, 0), "");
    assert_string_equal(profile_string(profile, proto_number(profile, 14)),
                        "inuse_space");
    assert_int_equal(proto_number(profile, 12), 1);
    assert_true(proto_message(profile, 11, 0, &type));
    assert_string_equal(profile_string(profile, proto_number(type, 1)), "space");
    assert_true(proto_number(profile, 9) > 1000000000U * (uint64_t)1000000000U);
    buffer_release(&buffer);
}

static void proto_names_function_file_and_line(void **state)
{
    (void)state;
    struct buffer buffer = proto_make(text_make(WHOLE));
    struct proto profile = proto_of(&buffer);
    struct profile_sample sample;
    assert_true(profile_sample_in(profile, 0, "payload_read", &sample));
    assert_int_equal(sample.depth, 2);
    assert_int_equal(sample.values[HEAP_INUSE_SPACE], 5000000);
    struct profile_place place = profile_place(profile, sample.locations[0]);
    assert_in_range(place.line, payload_line, payload_line + 3);
    assert_non_null(strstr(place.file, THIS_FILE));
    place = profile_place(profile, sample.locations[1]);
    assert_string_equal(place.function, "request_serve");

    /* The address is inside the call, and inside the named mapping. */
    struct proto location = profile_by_id(profile, 4, sample.locations[0]);
    struct proto mapping = profile_by_id(profile, 3, proto_number(location, 2));
    uint64_t address = proto_number(location, 3);
    assert_int_equal(address, returns_to(payload_read) - 1);
    assert_in_range(address, proto_number(mapping, 2), proto_number(mapping, 3) - 1);
    assert_non_null(
        strstr(profile_string(profile, proto_number(mapping, 5)), "heap_profile_test"));
    assert_int_equal(proto_number(mapping, 7), 1);
    buffer_release(&buffer);
}

static void second_proto_is_the_same_and_reads_nothing(void **state)
{
    (void)state;
    struct buffer first = proto_make(text_make(WHOLE));
    size_t read = probe_symbols_modules_read();
    struct buffer cut = proto_make(text_make(CUT));
    struct buffer second = proto_make(text_make(WHOLE));
    assert_int_equal(probe_symbols_modules_read(), read);
    assert_int_equal(second.length, first.length);
    /* Only the time is different: at most nine bytes. */
    size_t different = 0;
    for (size_t i = 0; i < first.length; i++) {
        different += first.data[i] != second.data[i];
    }
    assert_in_range(different, 0, 9);
    buffer_release(&first);
    buffer_release(&second);
    buffer_release(&cut);
}

static void cut_text_still_has_the_totals_of_the_header(void **state)
{
    (void)state;
    struct buffer buffer = proto_make(text_make(CUT));
    assert_totals(&buffer, 10, 7000123, 7, 5000099);
    struct proto profile = proto_of(&buffer);
    struct profile_sample sample;
    assert_true(profile_sample_in(profile, 0, "heap_stacks_cut_from_text", &sample));
    assert_int_equal(sample.values[HEAP_INUSE_OBJECTS], 2);
    assert_int_equal(sample.values[HEAP_INUSE_SPACE], 99);
    assert_non_null(strstr(profile_string(profile, proto_number(profile, 13)), "cut"));
    buffer_release(&buffer);

    assert_int_equal(probe_heap_profile_text(text_make(CUT), &buffer), 0);
    assert_non_null(strstr(buffer.data, "# The text was cut at 1 MiB."));
    assert_non_null(strstr(buffer.data, "2: 99 [2: 113]"));
    buffer_release(&buffer);
}

static void whole_text_says_nothing_of_a_cut(void **state)
{
    (void)state;
    struct buffer buffer = proto_make(text_make(WHOLE));
    assert_int_equal(proto_number(proto_of(&buffer), 13), 0);
    assert_int_equal(proto_count(proto_of(&buffer), 2), 2);
    buffer_release(&buffer);
    assert_int_equal(probe_heap_profile_text(text_make(WHOLE), &buffer), 0);
    assert_null(strstr(buffer.data, "# The text was cut"));
    buffer_release(&buffer);
}

/* gperftools 2.10 counts objects in 32 bits. */
static void counters_that_came_to_their_end_are_no_cut(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "heap profile: 1: 2 [-2147483647: 9] @ heapprofile\n"
        "1: 2 [2147483647: 4] @ 0x1\n0: 0 [2: 5] @ 0x2\n",
        "heap profile: 1: 2 [1: 9] @ heapprofile\n"
        "1: 2 [2147483647: 4] @ 0x1\n0: 0 [-2147483646: 5] @ 0x2\n",
    };
    static const int64_t objects[] = {INT64_C(2147483649), INT64_C(4294967297)};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct buffer buffer = proto_make(texts[i]);
        assert_totals(&buffer, objects[i], 9, 1, 2);
        assert_int_equal(proto_number(proto_of(&buffer), 13), 0);
        buffer_release(&buffer);
    }
}

static void sums_beyond_all_measure_do_no_harm(void **state)
{
    (void)state;
    char text[4096] = "heap profile: 1: 2 [1: 2] @ heapprofile\n";
    for (int i = 0; i < 12; i++) {
        strcat(text, "0: 999999999999999999 [0: -999999999999999999] @ 0x1\n");
    }
    struct buffer buffer = proto_make(text);
    buffer_release(&buffer);
    assert_int_equal(probe_heap_profile_difference(text, text, 1, 0, &buffer), 0);
    buffer_release(&buffer);
}

static void text_comments_each_frame(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    char comment[200];
    assert_int_equal(probe_heap_profile_text(text_make(WHOLE), &buffer), 0);
    snprintf(comment, sizeof(comment),
             "\n#\t0x%llx\tpayload_read+0x1\t%s:", returns_to(payload_read), THIS_FILE);
    const char *found = strstr(buffer.data, comment);
    assert_non_null(found);
    assert_in_range(atoi(found + strlen(comment)), payload_line, payload_line + 3);
    assert_non_null(strstr(buffer.data, "\n\nMAPPED_LIBRARIES:\n55f6c0000000-"));

    /* The output is still a valid text with the same stacks. */
    struct heap_text parsed;
    assert_int_equal(probe_heap_text_parse(buffer.data, &parsed), 0);
    assert_int_equal(parsed.stacks.count, 2);
    assert_int_equal(parsed.totals[HEAP_ALLOC_SPACE], 7000010);
    assert_false(parsed.is_cut);
    probe_heap_text_release(&parsed);
    buffer_release(&buffer);
}

static void difference_is_by_stack_and_may_be_negative(void **state)
{
    (void)state;
    char before[1000];
    char after[1000];
    unsigned long long grows = returns_to(payload_read);
    unsigned long long stays = returns_to(request_serve);
    snprintf(before, sizeof(before),
             "heap profile: 9: 900 [9: 900] @ heapprofile\n"
             "1: 100 [1: 100] @ 0x%llx\n5: 500 [5: 500] @ 0x%llx\n"
             "3: 300 [3: 300] @ 0x%llx 0x%llx\n",
             grows, stays, stays, grows);
    snprintf(after, sizeof(after),
             "heap profile: 9: 900 [13: 1300] @ heapprofile\n"
             "4: 400 [5: 500] @ 0x%llx\n5: 500 [5: 500] @ 0x%llx\n"
             "0: 0 [3: 300] @ 0x%llx 0x%llx\n",
             grows, stays, stays, grows);
    struct buffer buffer = {0};
    assert_int_equal(probe_heap_profile_difference(before, after, 5000000000,
                                                   HEAP_VIEW_INUSE, &buffer),
                     0);
    struct proto profile = proto_of(&buffer);
    assert_int_equal(proto_count(profile, 2), 2);
    assert_int_equal(proto_number(profile, 10), 5000000000);
    struct profile_sample sample;
    assert_true(profile_sample_in(profile, 0, "payload_read", &sample));
    assert_int_equal(sample.values[HEAP_ALLOC_SPACE], 400);
    assert_int_equal(sample.values[HEAP_INUSE_SPACE], 300);
    assert_true(profile_sample_in(profile, 0, "request_serve", &sample));
    assert_int_equal(sample.depth, 2);
    assert_int_equal(sample.values[HEAP_ALLOC_SPACE], 0);
    assert_int_equal(sample.values[HEAP_INUSE_OBJECTS], -3);
    assert_int_equal(sample.values[HEAP_INUSE_SPACE], -300);
    buffer_release(&buffer);
}

static void a_text_cut_anywhere_does_no_harm(void **state)
{
    (void)state;
    const char *text = text_make(WHOLE);
    size_t length = strlen(text);
    for (size_t i = 0; i <= length; i++) {
        /* In its own memory, so that sanitizers detect reading after its end. */
        char *part = strndup(text, i);
        struct buffer buffer = {0};
        int error = probe_heap_profile_proto(part, HEAP_VIEW_INUSE, &buffer);
        assert_true(error == 0 || error == -EBADMSG);
        if (error == 0) {
            assert_totals(&buffer, 8, 7000010, 5, 5000000);
        }
        buffer_clear(&buffer);
        error = probe_heap_profile_text(part, &buffer);
        assert_true(error == 0 || error == -EBADMSG);
        buffer_release(&buffer);
        free(part);
    }
}

static void what_is_no_heap_profile_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "heap profile:",
        "heap profile: 1: 2 [3: 4] @",
        "heap profile: 1: 2 [3: 4] @ growthz\n",
        "heap profile: 1: 2 [3 4] @ heapprofile\n",
        "heap profile: x: 2 [3: 4] @ heapprofile\n",
        "heap profile: 1: 9999999999999999999 [3: 4] @ heapprofile\n",
        "{\"error\":{}}",
        "heap profile: 1: 2 [1: 2] @ heapprofile\nnonsense\n1: 2 [1: 2] @ 0x1\n",
        "heap profile: 1: 2 [1: 2] @ heapprofile\n1: 2 [1: 2] @ 1\n1: 2 [1: 2] @ 0x1\n",
        LONG_ADDRESS,
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct buffer buffer = {0};
        struct heap_text parsed;
        assert_int_equal(probe_heap_text_parse(texts[i], &parsed), -EBADMSG);
        assert_int_equal(probe_heap_profile_proto(texts[i], HEAP_VIEW_INUSE, &buffer),
                         -EBADMSG);
        assert_int_equal(probe_heap_profile_text(texts[i], &buffer), -EBADMSG);
        assert_int_equal(
            probe_heap_profile_difference(texts[i], text_make(WHOLE), 1, 0, &buffer),
            -EBADMSG);
        assert_int_equal(
            probe_heap_profile_difference(text_make(WHOLE), texts[i], 1, 0, &buffer),
            -EBADMSG);
        assert_int_equal(buffer.length, 0);
        buffer_release(&buffer);
    }
    /* Nothing of a refused text is in the next profile. */
    struct buffer buffer = proto_make(text_make(WHOLE));
    assert_totals(&buffer, 8, 7000010, 5, 5000000);
    buffer_release(&buffer);
}

static void a_stack_without_frames_counts_too(void **state)
{
    (void)state;
    struct buffer buffer =
        proto_make("heap profile: 1: 2 [3: 4] @ heapprofile\n 1: 2 [3: 4] @\n");
    assert_totals(&buffer, 3, 4, 1, 2);
    buffer_release(&buffer);
}

static void a_deep_stack_keeps_its_inner_frames(void **state)
{
    (void)state;
    struct buffer text = {0};
    buffer_text(&text, "heap profile: 1: 2 [3: 4] @ heapprofile\n1: 2 [3: 4] @");
    buffer_printf(&text, " 0x%llx", returns_to(payload_read));
    for (int i = 0; i < 500; i++) {
        buffer_printf(&text, " 0x%llx", returns_to(request_serve));
    }
    buffer_text(&text, "\n");
    struct buffer buffer = proto_make(text.data);
    struct profile_sample sample;
    assert_true(profile_sample_in(proto_of(&buffer), 0, "payload_read", &sample));
    assert_int_equal(sample.depth, STACK_DEPTH_MAX);
    buffer_release(&buffer);
    buffer_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proto_has_the_totals_of_the_text),
        cmocka_unit_test(proto_says_what_its_values_are),
        cmocka_unit_test(proto_names_function_file_and_line),
        cmocka_unit_test(second_proto_is_the_same_and_reads_nothing),
        cmocka_unit_test(cut_text_still_has_the_totals_of_the_header),
        cmocka_unit_test(whole_text_says_nothing_of_a_cut),
        cmocka_unit_test(counters_that_came_to_their_end_are_no_cut),
        cmocka_unit_test(sums_beyond_all_measure_do_no_harm),
        cmocka_unit_test(text_comments_each_frame),
        cmocka_unit_test(difference_is_by_stack_and_may_be_negative),
        cmocka_unit_test(a_text_cut_anywhere_does_no_harm),
        cmocka_unit_test(what_is_no_heap_profile_is_refused),
        cmocka_unit_test(a_stack_without_frames_counts_too),
        cmocka_unit_test(a_deep_stack_keeps_its_inner_frames),
    };
    assert_int_equal(payload_read(1) + request_serve(1), 5);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
