/*
 * Tests of sorting a heap profile's text: the stacks with the most bytes come first,
 * without the allocator's frames; a sorted text is not changed.
 */
#include "probe/heap/heap_tidy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "unit.h"

#define HEADER "heap profile:      6:      620 [     9:      900] @ heapprofile\n"
#define MAPPINGS "\nMAPPED_LIBRARIES:\n7000-8000 r-xp 00000000 00:00 1 /lib/a@1: 9.so\n"

#define ALLOCATOR ((struct range){0x7000, 0x8000})
#define CALLS ((struct range){0x9000, 0x9100})

static void expect(const char *text, const char *expected)
{
    char *copy = strdup(text);
    assert_non_null(copy);
    assert_int_equal(probe_heap_tidy(copy, ALLOCATOR, CALLS), 0);
    assert_string_equal(copy, expected);
    free(copy);
}

static void stacks_of_most_bytes_come_first(void **state)
{
    (void)state;
    expect(HEADER "     1:       20 [     1:       20] @ 0x1001 0x1002\n"
                  "     1:      500 [     2:      600] @ 0x1003\n"
                  "     3:      100 [     3:      100] @ 0x1004 0x1005\n" MAPPINGS,
           HEADER "     1:      500 [     2:      600] @ 0x1003\n"
                  "     3:      100 [     3:      100] @ 0x1004 0x1005\n"
                  "     1:       20 [     1:       20] @ 0x1001 0x1002\n" MAPPINGS);
}

static void equal_stacks_keep_their_order(void **state)
{
    (void)state;
    expect(HEADER "1: 5 [1: 5] @ 0x1\n1: 5 [1: 5] @ 0x2\n1: 9 [1: 9] @ 0x3\n"
                  "1: 5 [1: 5] @ 0x4\n" MAPPINGS,
           HEADER "1: 9 [1: 9] @ 0x3\n1: 5 [1: 5] @ 0x1\n1: 5 [1: 5] @ 0x2\n"
                  "1: 5 [1: 5] @ 0x4\n" MAPPINGS);
}

static void frames_of_the_allocator_go(void **state)
{
    (void)state;
    expect(HEADER "1: 9 [1: 9] @ 0x7000 0x7fff 0x1001 0x7abc 0x1002\n"
                  "1: 5 [1: 5] @ 0x7001 0x7002 0x8000\n" MAPPINGS,
           HEADER "1: 9 [1: 9] @ 0x1001 0x7abc 0x1002\n"
                  "1: 5 [1: 5] @ 0x8000\n" MAPPINGS);
    expect(HEADER "1: 9 [1: 9] @ 0x7001 0x8000 0x1001\n" MAPPINGS,
           HEADER "1: 9 [1: 9] @ 0x8000 0x1001\n" MAPPINGS);
}

static void frames_of_calls_go_wherever_they_are(void **state)
{
    (void)state;
    expect(HEADER "1: 9 [1: 9] @ 0x1001 0x9000 0x90ff 0x1002 0x9001\n"
                  "1: 5 [1: 5] @ 0x8fff 0x9100\n"
                  "1: 4 [1: 4] @ 0x9001\n" MAPPINGS,
           HEADER "1: 9 [1: 9] @ 0x1001 0x1002\n"
                  "1: 5 [1: 5] @ 0x8fff 0x9100\n"
                  "1: 4 [1: 4] @\n" MAPPINGS);
}

/* GetHeapProfile is in the allocator's code and allocates memory itself. Its frame must
 * stay when those of malloc are removed; otherwise its caller would be blamed. */
static void no_more_frames_go_than_all_stacks_have(void **state)
{
    (void)state;
    static const char in_order[] =
        HEADER "1: 9 [1: 9] @ 0x7001 0x1001\n1: 5 [1: 5] @ 0x1002\n" MAPPINGS;
    expect(in_order, in_order);
    expect(HEADER "1: 9 [1: 9] @ 0x7001 0x7002 0x7003 0x1001\n"
                  "1: 5 [1: 5] @ 0x7001 0x7002 0x1002\n" MAPPINGS,
           HEADER "1: 9 [1: 9] @ 0x7003 0x1001\n1: 5 [1: 5] @ 0x1002\n" MAPPINGS);
}

static void a_stack_of_the_allocator_alone_decides_nothing(void **state)
{
    (void)state;
    expect(HEADER "1: 9 [1: 9] @ 0x7001 0x7002 0x1001\n1: 7 [1: 7] @ 0x7001\n"
                  "1: 6 [1: 6] @\n1: 5 [1: 5] @ 0x7001 0x7002 0x7003\n" MAPPINGS,
           HEADER "1: 9 [1: 9] @ 0x1001\n1: 7 [1: 7] @\n"
                  "1: 6 [1: 6] @\n1: 5 [1: 5] @ 0x7003\n" MAPPINGS);
}

/* gperftools 2.10 cuts its text at 1 MiB, perhaps inside a line. */
static void other_texts_are_left_alone(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "\n",
        HEADER,
        HEADER MAPPINGS,
        "heap profile\n1 @ 0x1001\n", /* no colon anywhere */
        HEADER "1: 9 [1: 9] @ 0x1001\n1: 5 [1: 5] @ 0x10" MAPPINGS,
        HEADER "1: 9 [1: 9] @ 0x1001\n1: 5 [1:" MAPPINGS,
        HEADER "1: 9 [1: 9] @ 0x1001\n1: 5 [1: 5] @ 0x1002",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        expect(texts[i], texts[i]);
    }
}

static void all_of_many_stacks_are_there(void **state)
{
    (void)state;
    enum { LINES = 20000, LINE_BYTES = 64 };
    char *text = calloc(LINES + 2, LINE_BYTES);
    assert_non_null(text);
    size_t length = (size_t)sprintf(text, HEADER);
    for (int i = 0; i < LINES; i++) {
        length += (size_t)sprintf(text + length, "1: %d [1: 1] @ 0x7001 0x%x\n", i,
                                  0x100 + i);
    }
    assert_int_equal(probe_heap_tidy(text, (struct range){0x7000, 0x7002}, CALLS), 0);
    const char *at = strchr(text, '\n') + 1;
    for (int i = LINES - 1; i >= 0; i--) {
        char line[LINE_BYTES];
        int bytes = sprintf(line, "1: %d [1: 1] @ 0x%x\n", i, 0x100 + i);
        assert_memory_equal(at, line, (size_t)bytes);
        at += bytes;
    }
    assert_string_equal(at, "");
    free(text);
}

static void without_memory_it_fails_and_changes_nothing(void **state)
{
    (void)state;
    static const char given[] =
        HEADER "1: 5 [1: 5] @ 0x1001\n1: 9 [1: 9] @ 0x1002\n" MAPPINGS;
    char text[sizeof(given)];
    memcpy(text, given, sizeof(given));
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
    int error = probe_heap_tidy(text, ALLOCATOR, CALLS);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_int_equal(error, -ENOMEM);
    assert_string_equal(text, given);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stacks_of_most_bytes_come_first),
        cmocka_unit_test(equal_stacks_keep_their_order),
        cmocka_unit_test(frames_of_the_allocator_go),
        cmocka_unit_test(frames_of_calls_go_wherever_they_are),
        cmocka_unit_test(no_more_frames_go_than_all_stacks_have),
        cmocka_unit_test(a_stack_of_the_allocator_alone_decides_nothing),
        cmocka_unit_test(other_texts_are_left_alone),
        cmocka_unit_test(all_of_many_stacks_are_there),
        cmocka_unit_test(without_memory_it_fails_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
