/*
 * Tests of the line about memory: its units, what was not counted, and that no name and
 * no figure makes it longer than it may be.
 */
#include "probe/figures/memory_line.h"

#include <string.h>

#include "base/clock.h"
#include "base/size.h"
#include "unit.h"

#define STARTED_NS (100 * CLOCK_NS_PER_SECOND)

static char line[MEMORY_LINE_SIZE];

/* The figures of a process after 5 and 7.5 seconds; the caller may change them. */
static void figures_fill(struct figures *before, struct figures *now)
{
    *before = (struct figures){
        .taken_ns = STARTED_NS + 5 * CLOCK_NS_PER_SECOND,
        .heap = {.known = true,
                 .in_use_bytes = 3 * MIB / 2,
                 .counted = true,
                 .total_bytes = 7 * MIB},
    };
    *now = (struct figures){
        .taken_ns = STARTED_NS + 15 * CLOCK_NS_PER_SECOND / 2,
        .heap = {.known = true,
                 .in_use_bytes = 4 * MIB,
                 .counted = true,
                 .total_bytes = 17 * MIB},
        .process = {.rss_bytes = 30 * MIB + MIB / 4, .threads = 53, .fds = 64},
    };
}

static void format(const char *name, const struct figures *before,
                   const struct figures *now)
{
    memset(line, 'x', sizeof(line));
    size_t length = probe_memory_line_format(line, name, STARTED_NS, before, now);
    assert_int_equal(length, strlen(line));
}

static void the_line_has_all_figures_and_their_units(void **state)
{
    (void)state;
    struct figures before, now;
    figures_fill(&before, &now);
    format("leaky", &before, &now);
    assert_string_equal(line,
                        "leaky: memory @7.500s: 1.50->4.00 MiB in use, 4.00 MiB/s "
                        "allocated, 30.25 MiB resident, 53 threads, 64 descriptors\n");
}

static void what_was_not_counted_is_left_out(void **state)
{
    (void)state;
    struct figures before, now;
    figures_fill(&before, &now);
    now.heap.counted = false;
    format("leaky", &before, &now);
    assert_string_equal(line, "leaky: memory @7.500s: 1.50->4.00 MiB in use, 30.25 MiB "
                              "resident, 53 threads, 64 descriptors\n");
    now.heap.known = false;
    format("leaky", &before, &now);
    assert_string_equal(line, "leaky: memory @7.500s: 30.25 MiB resident, 53 threads, "
                              "64 descriptors\n");
}

static void equal_times_divide_nothing(void **state)
{
    (void)state;
    struct figures before, now;
    figures_fill(&before, &now);
    now.taken_ns = before.taken_ns;
    format("leaky", &before, &now);
    assert_non_null(strstr(line, " 0.00 MiB/s allocated,"));
}

static void the_longest_line_is_whole(void **state)
{
    (void)state;
    struct figures before, now;
    figures_fill(&before, &now);
    before.heap.in_use_bytes = now.heap.in_use_bytes = UINT64_MAX;
    now.taken_ns = before.taken_ns + 1;
    now.heap.total_bytes = UINT64_MAX;
    now.process = (struct process_figures){
        .rss_bytes = UINT64_MAX, .threads = UINT32_MAX, .fds = UINT32_MAX};
    char name[1000];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    format(name, &before, &now);
    assert_true(strlen(line) < sizeof(line));
    assert_string_equal(strrchr(line, ','), ", 4294967295 descriptors\n");
}

static void an_error_says_what_the_system_says(void **state)
{
    (void)state;
    int64_t now_ns = STARTED_NS + 2 * CLOCK_NS_PER_SECOND;
    size_t length =
        probe_memory_line_format_error(line, "leaky", STARTED_NS, now_ns, -EMFILE);
    assert_string_equal(line, "leaky: memory @2.000s: not read: Too many open files\n");
    assert_int_equal(length, strlen(line));
    probe_memory_line_format_error(line, "leaky", STARTED_NS, now_ns, -99999);
    assert_string_equal(line, "leaky: memory @2.000s: not read: unknown error\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line_has_all_figures_and_their_units),
        cmocka_unit_test(what_was_not_counted_is_left_out),
        cmocka_unit_test(equal_times_divide_nothing),
        cmocka_unit_test(the_longest_line_is_whole),
        cmocka_unit_test(an_error_says_what_the_system_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
