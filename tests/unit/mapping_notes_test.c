/*
 * Tests of the notes of mappings where they cannot be changed at once, and of what was
 * unmapped unseen: a note that is not right is never there.
 */
#include "probe/resources/mapping_notes.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "probe/recorder/inside.h"
#include "unit.h"

#define PAGE ((uintptr_t)4096)
#define PLACE ((uintptr_t)0x100000000)
#define MANY 100

/* Nothing is mapped at these addresses: they are only noted. */
static void *at(size_t page)
{
    return (void *)(PLACE + page * PAGE);
}

static __attribute__((noinline)) void made(size_t page, size_t count)
{
    probe_mapping_made(at(page), count * PAGE, __builtin_frame_address(0));
}

static bool is_noted(size_t page)
{
    struct range_note note;
    uintptr_t address = PLACE + page * PAGE;
    return probe_mapping_find(address, &note) && note.range.start <= address;
}

static int empty(void **state)
{
    (void)state;
    probe_mapping_gone(at(0), 1000 * PAGE);
    return 0;
}

static void a_part_is_gone(void **state)
{
    (void)state;
    struct mapping_parts parts;
    made(0, 10);
    probe_mapping_take(at(4), PAGE, &parts);
    assert_int_equal(parts.count, 1);
    assert_true(is_noted(3));
    assert_false(is_noted(4));
    assert_true(is_noted(5));
    probe_mapping_put_back(&parts);
    assert_true(is_noted(4));
    /* Less than a page is a page. */
    probe_mapping_gone((char *)at(7), 1);
    assert_false(is_noted(7));
    assert_true(is_noted(8));
}

static void what_failed_to_be_mapped_is_not_noted(void **state)
{
    (void)state;
    errno = 4711;
    probe_mapping_made(MAP_FAILED, PAGE, __builtin_frame_address(0));
    made(0, 1);
    assert_int_equal(errno, 4711);
    assert_true(is_noted(0));
}

static void what_moves_keeps_its_maker(void **state)
{
    (void)state;
    struct mapping_parts parts;
    struct range_note before;
    struct range_note after;
    made(0, 4);
    probe_mapping_find(PLACE, &before);
    probe_mapping_take(at(0), 4 * PAGE, &parts);
    probe_mapping_moved(&parts, at(0), 4 * PAGE, at(20), 9 * PAGE);
    assert_false(is_noted(0));
    assert_true(is_noted(28));
    assert_false(is_noted(29));
    assert_true(probe_mapping_find(PLACE + 20 * PAGE, &after));
    assert_int_equal(after.note.stack, before.note.stack);
    /* What nobody has made, has no maker elsewhere. */
    probe_mapping_take(at(40), 4 * PAGE, &parts);
    probe_mapping_moved(&parts, at(40), 4 * PAGE, at(22), 2 * PAGE);
    assert_true(is_noted(21));
    assert_false(is_noted(22));
}

/* A thread that forks holds the table. */
static void what_goes_meanwhile_is_gone_afterwards(void **state)
{
    (void)state;
    uint64_t missed = probe_mapping_missed();
    made(0, 10);
    probe_mapping_hold();
    probe_inside++; /* as in a signal handler: it does not wait for long */
    probe_mapping_gone(at(2), PAGE);
    probe_inside--;
    probe_mapping_release();
    assert_true(is_noted(1));
    assert_false(is_noted(2));
    assert_int_equal(probe_mapping_missed(), missed);

    probe_mapping_hold();
    made(5, 1); /* over the other: now nobody is known */
    probe_mapping_release();
    assert_true(is_noted(4));
    assert_false(is_noted(5));
    assert_int_equal(probe_mapping_missed(), missed + 1);
}

static void with_too_much_at_once_nothing_is_believed(void **state)
{
    (void)state;
    uint64_t missed = probe_mapping_missed();
    made(0, 10);
    probe_mapping_hold();
    probe_inside++;
    for (size_t i = 0; i < MANY; i++) {
        probe_mapping_gone(at(200 + i), PAGE);
    }
    probe_inside--;
    probe_mapping_release();
    assert_false(is_noted(0));
    assert_true(probe_mapping_missed() > missed);
    made(0, 1);
    assert_true(is_noted(0));
}

/* Waits until it is later, and returns when that is. */
static uint32_t later(void)
{
    uint32_t begun = probe_resource_now();
    while (probe_resource_now() == begun) {
        unit_sleep_ms(1);
    }
    return begun + 1;
}

static void what_was_unmapped_unseen_is_swept_away(void **state)
{
    (void)state;
    struct range range = {PLACE + 2 * PAGE, PLACE + 4 * PAGE};
    made(0, 10);
    probe_mapping_sweep(range, probe_resource_now());
    uint32_t begun = later() - 1;
    made(12, 1);
    assert_true(is_noted(2)); /* it may be younger than the reading */
    probe_mapping_sweep(range, begun + 1);
    assert_true(is_noted(1));
    assert_false(is_noted(2));
    assert_false(is_noted(3));
    assert_true(is_noted(4));
    probe_mapping_sweep((struct range){PLACE, PLACE + 20 * PAGE}, begun + 1);
    assert_false(is_noted(0));
    assert_true(is_noted(12));
}

/* The kernel's text is from before; the notes are older, but not at their places. */
static void what_came_there_since_is_not_swept_away(void **state)
{
    (void)state;
    const struct range all = {PLACE, PLACE + 100 * PAGE};
    struct mapping_parts parts;
    struct range_note note;
    made(0, 4);
    uint32_t begun = later();
    probe_mapping_take(at(0), 4 * PAGE, &parts);
    probe_mapping_moved(&parts, at(0), 4 * PAGE, at(20), 9 * PAGE);
    probe_mapping_sweep(all, begun);
    assert_true(is_noted(28));

    for (size_t i = 0; i < 2; i++) {
        begun = i == 0 ? begun : later();
        made(40 + 4 * i, 4); /* from the same line: they are joined */
    }
    assert_true(probe_mapping_find(PLACE + 40 * PAGE, &note));
    assert_int_equal(note.range.end, PLACE + 48 * PAGE);
    assert_true(note.note.made < begun);
    probe_mapping_sweep(all, begun);
    assert_true(is_noted(44));
    assert_false(is_noted(20)); /* it was there before */
}

static void inside_the_probe_it_is_the_probes(void **state)
{
    (void)state;
    struct range_note note;
    probe_inside++;
    made(0, 1);
    probe_inside--;
    assert_true(probe_mapping_find(PLACE, &note));
    assert_int_equal(note.note.stack, MAPPING_BY_PROBE);
}

static void a_segment_has_its_size(void **state)
{
    (void)state;
    struct mapping_parts parts;
    probe_segment_made(at(0), 2 * PAGE + 1, __builtin_frame_address(0));
    assert_int_equal(probe_segment_take(at(1), &parts), 0);
    assert_int_equal(probe_segment_take(at(0), &parts), 2 * PAGE + 1);
    assert_false(is_noted(2));
    probe_segment_put_back(at(0), 2 * PAGE + 1, &parts);
    assert_true(is_noted(2));
    assert_int_equal(probe_segment_take(at(0), &parts), 2 * PAGE + 1);
    assert_int_equal(probe_segment_take(at(0), &parts), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_part_is_gone, empty),
        cmocka_unit_test_setup(what_failed_to_be_mapped_is_not_noted, empty),
        cmocka_unit_test_setup(what_moves_keeps_its_maker, empty),
        cmocka_unit_test_setup(what_goes_meanwhile_is_gone_afterwards, empty),
        cmocka_unit_test_setup(with_too_much_at_once_nothing_is_believed, empty),
        cmocka_unit_test_setup(what_was_unmapped_unseen_is_swept_away, empty),
        cmocka_unit_test_setup(what_came_there_since_is_not_swept_away, empty),
        cmocka_unit_test_setup(inside_the_probe_it_is_the_probes, empty),
        cmocka_unit_test_setup(a_segment_has_its_size, empty),
    };
    if (probe_resources_start() != 0) {
        puts("left out: nothing is noted in this build, or libunwind is not there");
        return EXIT_SUCCESS;
    }
    probe_mapping_notes_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
