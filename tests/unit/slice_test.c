/*
 * Tests of slices: what a view sees, and that an array lives exactly as long as its
 * last view.
 */
#include <stdlib.h>
#include <string.h>

#include "free_count.h"
#include "runtime/slice.h"
#include "unit.h"

static struct slice slice_make(const char *text)
{
    size_t bytes = strlen(text);
    void *memory = malloc(slice_array_bytes(bytes));
    assert_non_null(memory);
    struct slice slice = slice_of(memory, bytes);
    memcpy(slice.data, text, bytes);
    return slice;
}

static void assert_slice_is(struct slice slice, const char *text)
{
    assert_int_equal(slice.length, strlen(text));
    assert_memory_equal(slice.data, text, slice.length);
}

static void array_size_has_room_for_header(void **state)
{
    (void)state;
    assert_true(slice_array_bytes(10) >= sizeof(struct slice_array) + 10);
    assert_true(slice_array_bytes(0) >= sizeof(struct slice_array));
}

static void array_size_does_not_wrap(void **state)
{
    (void)state;
    assert_true(slice_array_bytes(SIZE_MAX) == SIZE_MAX);
    assert_true(slice_array_bytes(SIZE_MAX - 1) == SIZE_MAX);
}

static void first_view_is_whole_array(void **state)
{
    (void)state;
    struct slice slice = slice_make("hello");
    assert_non_null(slice.array);
    assert_slice_is(slice, "hello");
    slice_release(&slice);
}

static void sub_shares_bytes(void **state)
{
    (void)state;
    struct slice whole = slice_make("hello, world");
    struct slice world = slice_sub(whole, 7, 12);
    assert_slice_is(world, "world");
    whole.data[7] = 'W';
    assert_slice_is(world, "World");
    struct slice middle = slice_sub(world, 1, 3);
    assert_slice_is(middle, "or");
    slice_release(&middle);
    slice_release(&world);
    slice_release(&whole);
}

static void small_view_keeps_array(void **state)
{
    (void)state;
    struct slice whole = slice_make("hello");
    struct slice small = slice_sub(whole, 1, 2);
    struct slice empty = slice_sub(whole, 5, 5);
    int before = atomic_load(&frees);
    slice_release(&whole);
    slice_release(&empty);
    assert_int_equal(atomic_load(&frees), before);
    assert_slice_is(small, "e");
    slice_release(&small);
    assert_int_equal(atomic_load(&frees), before + 1);
}

static void release_leaves_it_empty(void **state)
{
    (void)state;
    struct slice slice = slice_make("hello");
    int before = atomic_load(&frees);
    slice_release(&slice);
    assert_null(slice.array);
    assert_null(slice.data);
    assert_int_equal(slice.length, 0);
    slice_release(&slice);
    assert_int_equal(atomic_load(&frees), before + 1);
}

static void borrowed_memory_is_not_freed(void **state)
{
    (void)state;
    char text[] = "borrowed";
    struct slice whole = slice_borrow(text, 8);
    struct slice part = slice_sub(whole, 0, 6);
    assert_slice_is(part, "borrow");
    int before = atomic_load(&frees);
    slice_release(&part);
    slice_release(&whole);
    assert_int_equal(atomic_load(&frees), before);
    assert_string_equal(text, "borrowed");
}

static void empty_slices_work(void **state)
{
    (void)state;
    struct slice none = {0};
    struct slice part = slice_sub(none, 0, 0);
    assert_int_equal(part.length, 0);
    assert_int_equal(slice_copy(part, none), 0);
    slice_release(&part);
    slice_release(&none);
}

static void copy_takes_the_shorter(void **state)
{
    (void)state;
    struct slice from = slice_make("abcdef");
    struct slice to = slice_make("123");
    assert_int_equal(slice_copy(to, from), 3);
    assert_slice_is(to, "abc");
    struct slice two = slice_sub(to, 0, 2);
    assert_int_equal(slice_copy(from, two), 2);
    assert_slice_is(from, "abcdef");
    slice_release(&two);
    slice_release(&to);
    slice_release(&from);
}

static void copy_within_an_array_may_overlap(void **state)
{
    (void)state;
    struct slice whole = slice_make("abcdefghijklmnopqrstuvwxyz");
    struct slice tail = slice_sub(whole, 1, 26);
    assert_int_equal(slice_copy(tail, whole), 25);
    assert_slice_is(whole, "aabcdefghijklmnopqrstuvwxy");
    slice_release(&tail);
    slice_release(&whole);
}

/* Takes and releases views of the given slice; at the end releases the slice itself. */
static void *views_churn(void *argument)
{
    struct slice *slice = argument;
    for (int i = 0; i < 5000; i++) {
        struct slice part = slice_sub(*slice, 1, 3);
        slice_release(&part);
    }
    slice_release(slice);
    return NULL;
}

static void views_are_counted_across_threads(void **state)
{
    (void)state;
    struct slice whole = slice_make("shared");
    struct slice views[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        views[i] = slice_sub(whole, 0, 6);
        threads[i] = unit_thread(views_churn, &views[i]);
    }
    for (int i = 0; i < 4; i++) {
        unit_join(threads[i]);
    }
    assert_slice_is(whole, "shared");
    int before = atomic_load(&frees);
    slice_release(&whole);
    assert_int_equal(atomic_load(&frees), before + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(array_size_has_room_for_header),
        cmocka_unit_test(array_size_does_not_wrap),
        cmocka_unit_test(first_view_is_whole_array),
        cmocka_unit_test(sub_shares_bytes),
        cmocka_unit_test(small_view_keeps_array),
        cmocka_unit_test(release_leaves_it_empty),
        cmocka_unit_test(borrowed_memory_is_not_freed),
        cmocka_unit_test(empty_slices_work),
        cmocka_unit_test(copy_takes_the_shorter),
        cmocka_unit_test(copy_within_an_array_may_overlap),
        cmocka_unit_test(views_are_counted_across_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
