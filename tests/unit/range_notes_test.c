/*
 * Tests of the notes of ranges: they agree with a plain array of pages after any
 * changes, and without memory nothing is wrong, only less is noted.
 */
#include "probe/resources/range_notes.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define PAGE ((uintptr_t)4096)
#define PAGES 200
#define BASE ((uintptr_t)0x10000)
#define CHUNK_BYTES (RANGE_CHUNK_NODES * sizeof(struct range_node))

static struct range_notes notes;
static struct resource_note pages[PAGES]; /* the model */
static uint32_t now;

static struct range_node *chunk_new(void)
{
    struct range_node *chunk = calloc(1, CHUNK_BYTES);
    assert_non_null(chunk);
    return chunk;
}

/* Each test begins with an empty table with memory, and an empty model. */
static int empty(void **state)
{
    (void)state;
    notes = (struct range_notes){0};
    memset(pages, 0, sizeof(pages));
    now = 1;
    assert_true(probe_range_notes_grow(&notes, chunk_new()));
    return 0;
}

static int finish(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < notes.chunk_count; i++) {
        free(notes.chunks[i]);
    }
    return 0;
}

static struct range range_of(size_t first, size_t count)
{
    return (struct range){BASE + first * PAGE, BASE + (first + count) * PAGE};
}

static bool put(size_t first, size_t count, uint32_t stack)
{
    struct range_note note = {range_of(first, count), {stack, now}, now};
    return probe_range_notes_put(&notes, note);
}

/* How many notes there are in the tree, which must be in order, and not overlap. */
static size_t count_in_order(void)
{
    struct range_note note;
    uintptr_t at = 0;
    size_t count = 0;
    while (probe_range_notes_find(&notes, at, &note)) {
        assert_true(note.range.start >= at);
        assert_true(note.range.end > note.range.start);
        at = note.range.end;
        count++;
    }
    assert_int_equal(count, notes.count);
    return count;
}

/* A joined note may be a little older or younger. */
static bool is_alike(struct resource_note one, struct resource_note other)
{
    int64_t apart = (int64_t)one.made - (int64_t)other.made;
    return one.stack == other.stack && llabs(apart) <= RANGE_JOINED_TICKS;
}

static void agrees_with_model(void)
{
    count_in_order();
    for (size_t i = 0; i < PAGES; i++) {
        struct range_note note;
        uintptr_t address = BASE + i * PAGE;
        bool found = probe_range_notes_find(&notes, address, &note) &&
                     note.range.start <= address;
        assert_int_equal(found, pages[i].stack != 0);
        assert_true(!found || is_alike(note.note, pages[i]));
    }
}

/* Checks that the parts are what the model has in this range. */
static void parts_agree(const struct range_note *parts, size_t count, size_t first,
                        size_t size)
{
    size_t noted = 0;
    uintptr_t covered = 0;
    for (size_t i = first; i < first + size; i++) {
        noted += pages[i].stack != 0;
    }
    for (size_t i = 0; i < count; i++) {
        struct range whole = range_of(first, size);
        assert_true(parts[i].range.start >= whole.start);
        assert_true(parts[i].range.end <= whole.end);
        for (uintptr_t at = parts[i].range.start; at < parts[i].range.end; at += PAGE) {
            assert_true(is_alike(parts[i].note, pages[(at - BASE) / PAGE]));
        }
        covered += parts[i].range.end - parts[i].range.start;
    }
    assert_int_equal(covered, noted * PAGE);
}

static void any_changes_agree_with_a_model(void **state)
{
    (void)state;
    unsigned seed = 1;
    for (int round = 0; round < 30000; round++) {
        size_t first = (size_t)rand_r(&seed) % PAGES;
        size_t size = 1 + (size_t)rand_r(&seed) % (round % 7 == 0 ? PAGES : 6);
        size = first + size > PAGES ? PAGES - first : size;
        uint32_t stack = 1 + (uint32_t)rand_r(&seed) % 3;
        now += (uint32_t)rand_r(&seed) % 60;
        if (rand_r(&seed) % 3 > 0) {
            assert_true(put(first, size, stack));
            for (size_t i = first; i < first + size; i++) {
                pages[i] = (struct resource_note){stack, now};
            }
        } else {
            struct range_note parts[PAGES];
            size_t count =
                probe_range_notes_take(&notes, range_of(first, size), parts, PAGES);
            parts_agree(parts, count, first, size);
            memset(&pages[first], 0, size * sizeof(pages[0]));
        }
        agrees_with_model();
    }
}

static void neighbours_with_the_same_stack_are_one(void **state)
{
    (void)state;
    put(10, 2, 7);
    put(12, 2, 7);
    put(8, 2, 7);
    assert_int_equal(count_in_order(), 1);
    put(14, 1, 8);
    assert_int_equal(count_in_order(), 2);
    now += RANGE_JOINED_TICKS + 1;
    put(7, 1, 7);
    assert_int_equal(count_in_order(), 3);
}

static void what_is_taken_is_told_up_to_the_room(void **state)
{
    (void)state;
    struct range_note parts[2] = {0};
    for (uint32_t i = 0; i < 5; i++) {
        put(2 * i, 1, 1 + i);
    }
    assert_int_equal(probe_range_notes_take(&notes, range_of(0, 10), parts, 2), 5);
    assert_int_equal(parts[0].note.stack, 1);
    assert_int_equal(parts[1].note.stack, 2);
    assert_int_equal(parts[1].range.start, BASE + 2 * PAGE);
    assert_int_equal(count_in_order(), 0);
    assert_int_equal(probe_range_notes_take(&notes, range_of(0, 0), parts, 2), 0);
}

/* With a table that is full, a hole in the middle of a note costs its upper side. */
static void without_memory_less_is_noted(void **state)
{
    (void)state;
    uint32_t i = 0;
    while (put(3 * i, 2, 1 + i)) {
        i++;
    }
    assert_int_equal(i, RANGE_CHUNK_NODES);
    assert_int_equal(probe_range_notes_spare(&notes), 0);
    struct range_note note;
    uintptr_t half = BASE + PAGE / 2;
    probe_range_notes_take(&notes, (struct range){half, half + 1}, NULL, 0);
    assert_true(probe_range_notes_find(&notes, BASE, &note));
    assert_int_equal(note.range.end, half);
    assert_true(probe_range_notes_find(&notes, half, &note));
    assert_int_equal(note.note.stack, 2);
    assert_int_equal(count_in_order(), RANGE_CHUNK_NODES);

    assert_true(probe_range_notes_grow(&notes, chunk_new()));
    assert_true(put(3 * i, 2, 1 + i));
    probe_range_notes_clear(&notes);
    assert_int_equal(count_in_order(), 0);
    assert_int_equal(probe_range_notes_spare(&notes), 2 * RANGE_CHUNK_NODES);
    assert_true(put(1, 1, 1));
    assert_int_equal(count_in_order(), 1);
}

/* As a program maps: each below the one before, and thousands of them. */
static void many_in_order_stay_quick(void **state)
{
    (void)state;
    enum { MANY = 200000 };
    const struct timespec limit = {.tv_sec = 10};
    struct timespec begin;
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (size_t i = 0; i < MANY; i++) {
        if (probe_range_notes_spare(&notes) == 0) {
            assert_true(probe_range_notes_grow(&notes, chunk_new()));
        }
        assert_true(put(3 * (MANY - i), 2, 1 + (uint32_t)i));
    }
    assert_int_equal(count_in_order(), MANY);
    for (size_t i = 0; i < MANY; i++) {
        probe_range_notes_take(&notes, range_of(3 * (MANY - i), 2), NULL, 0);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_int_equal(count_in_order(), 0);
    assert_true(end.tv_sec - begin.tv_sec < limit.tv_sec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(any_changes_agree_with_a_model, empty, finish),
        cmocka_unit_test_setup_teardown(neighbours_with_the_same_stack_are_one, empty,
                                        finish),
        cmocka_unit_test_setup_teardown(what_is_taken_is_told_up_to_the_room, empty,
                                        finish),
        cmocka_unit_test_setup_teardown(without_memory_less_is_noted, empty, finish),
        cmocka_unit_test_setup_teardown(many_in_order_stay_quick, empty, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
