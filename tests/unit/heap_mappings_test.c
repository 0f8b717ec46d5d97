/*
 * Tests of the list of what the allocator has mapped: ranges that touch become one,
 * what is unmapped is taken away wherever it lies, and a list that is full, or cannot
 * be changed, says so.
 */
#include "probe/reach/heap_mappings.h"

#include "unit.h"

/* The list is the process's: each test begins with an empty one. */
static int empty(void **state)
{
    (void)state;
    probe_heap_mapping_remove(0, UINTPTR_MAX);
    return 0;
}

/* Checks that the list has these ranges, {start, end, start, end, ..., 0}. */
static void has_ranges(const uintptr_t *expected)
{
    size_t count;
    bool all;
    const struct range *ranges = probe_heap_mappings(&count, &all);
    size_t i = 0;
    for (; expected[2 * i] != 0; i++) {
        assert_true(i < count);
        assert_int_equal(ranges[i].start, expected[2 * i]);
        assert_int_equal(ranges[i].end, expected[2 * i + 1]);
    }
    assert_int_equal(count, i);
    assert_true(all);
}

static void ranges_that_touch_are_one(void **state)
{
    (void)state;
    probe_heap_mapping_add(0x5000, 0x6000);
    probe_heap_mapping_add(0x1000, 0x2000);
    has_ranges((uintptr_t[]){0x1000, 0x2000, 0x5000, 0x6000, 0});
    probe_heap_mapping_add(0x4000, 0x5000);
    probe_heap_mapping_add(0x2000, 0x3000);
    has_ranges((uintptr_t[]){0x1000, 0x3000, 0x4000, 0x6000, 0});
    probe_heap_mapping_add(0x3000, 0x4000);
    has_ranges((uintptr_t[]){0x1000, 0x6000, 0});
    probe_heap_mapping_add(0x2000, 0x7000);
    has_ranges((uintptr_t[]){0x1000, 0x7000, 0});
}

static void a_part_is_taken_away(void **state)
{
    (void)state;
    probe_heap_mapping_add(0x1000, 0x9000);
    probe_heap_mapping_remove(0x3000, 0x4000);
    has_ranges((uintptr_t[]){0x1000, 0x3000, 0x4000, 0x9000, 0});
    probe_heap_mapping_remove(0x8000, 0xa000);
    probe_heap_mapping_remove(0x0800, 0x2000);
    has_ranges((uintptr_t[]){0x2000, 0x3000, 0x4000, 0x8000, 0});
    probe_heap_mapping_remove(0x2000, 0x5000);
    has_ranges((uintptr_t[]){0x5000, 0x8000, 0});
}

static void a_range_is_all_or_not_the_allocators(void **state)
{
    (void)state;
    probe_heap_mapping_add(0x1000, 0x3000);
    assert_true(probe_heap_mapping_has(0x1000, 0x3000));
    assert_true(probe_heap_mapping_has(0x2000, 0x3000));
    assert_false(probe_heap_mapping_has(0x2000, 0x4000));
    assert_false(probe_heap_mapping_has(0x0800, 0x2000));
    assert_false(probe_heap_mapping_has(0x2000, 0x2000));
}

/* The last test: the list stays incomplete. */
static void a_full_list_says_so(void **state)
{
    (void)state;
    size_t count;
    bool all = true;
    uintptr_t at = 0x1000;
    for (size_t i = 0; i < 100000 && all; i++, at += 0x2000) {
        probe_heap_mapping_add(at, at + 0x1000);
        probe_heap_mappings(&count, &all);
    }
    assert_false(all);
    assert_true(count > 1000);
    assert_true(probe_heap_mapping_has(0x1000, 0x2000));
    assert_false(probe_heap_mapping_has(at - 0x2000, at - 0x1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ranges_that_touch_are_one, empty),
        cmocka_unit_test_setup(a_part_is_taken_away, empty),
        cmocka_unit_test_setup(a_range_is_all_or_not_the_allocators, empty),
        cmocka_unit_test_setup(a_full_list_says_so, empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
