/*
 * Tests of clean-ups: in which order they run, and when.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "free_count.h"
#include "runtime/defer.h"
#include "unit.h"

static char trace[32];

static void note(void *argument)
{
    strcat(trace, argument);
}

static void last_pushed_runs_first(void **state)
{
    (void)state;
    struct defer_stack stack = {0};
    struct defer_item items[3];
    trace[0] = '\0';
    defer_push(&stack, &items[0], note, "a");
    defer_push(&stack, &items[1], note, "b");
    defer_push(&stack, &items[2], note, "c");
    assert_string_equal(trace, "");
    defer_run(&stack);
    assert_string_equal(trace, "cba");
    assert_null(stack.top);
    defer_run(&stack);
    assert_string_equal(trace, "cba");
}

/* Clean-ups as in a real program: the item is inside the memory that is freed. */
struct record {
    struct defer_item item;
    struct defer_stack *stack;
    struct defer_item again;
};

static void record_free(void *argument)
{
    strcat(trace, "f");
    free(argument);
}

static void record_defer_more(void *argument)
{
    struct record *record = argument;
    strcat(trace, "m");
    defer_push(record->stack, &record->again, note, "n");
}

static void clean_up_may_free_its_item(void **state)
{
    (void)state;
    struct defer_stack stack = {0};
    trace[0] = '\0';
    int before = atomic_load(&frees);
    for (int i = 0; i < 3; i++) {
        struct record *record = malloc(sizeof(*record));
        assert_non_null(record);
        defer_push(&stack, &record->item, record_free, record);
    }
    defer_run(&stack);
    assert_string_equal(trace, "fff");
    assert_int_equal(atomic_load(&frees), before + 3);
}

static void clean_up_may_push_another(void **state)
{
    (void)state;
    struct defer_stack stack = {0};
    struct defer_item first;
    struct record record = {.stack = &stack};
    trace[0] = '\0';
    defer_push(&stack, &first, note, "1");
    defer_push(&stack, &record.item, record_defer_more, &record);
    defer_run(&stack);
    assert_string_equal(trace, "mn1");
}

/* The descriptor of the last opened file, to check whether it was closed. */
static int last_descriptor;

static FILE *file_open(void)
{
    FILE *file = fopen("/dev/null", "r");
    assert_non_null(file);
    last_descriptor = fileno(file);
    return file;
}

static bool last_file_is_open(void)
{
    int copy = dup(last_descriptor);
    if (copy >= 0) {
        close(copy);
    }
    return copy >= 0;
}

static void file_is_closed_at_end_of_scope(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        DEFER_CLOSE_FILE FILE *file = file_open();
        assert_true(last_file_is_open());
        if (i == 1) {
            continue;
        }
        assert_int_equal(fgetc(file), EOF);
    }
    assert_false(last_file_is_open());
    DEFER_CLOSE_FILE FILE *none = NULL;
    assert_null(none);
}

static void memory_is_freed_at_end_of_scope(void **state)
{
    (void)state;
    int before = atomic_load(&frees);
    for (int i = 0; i < 3; i++) {
        DEFER_FREE char *text = malloc(8);
        assert_non_null(text);
        text[0] = 'x';
        assert_int_equal(atomic_load(&frees), before + i);
    }
    assert_int_equal(atomic_load(&frees), before + 3);
    DEFER_FREE char *none = NULL;
    assert_null(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(last_pushed_runs_first),
        cmocka_unit_test(clean_up_may_free_its_item),
        cmocka_unit_test(clean_up_may_push_another),
        cmocka_unit_test(file_is_closed_at_end_of_scope),
        cmocka_unit_test(memory_is_freed_at_end_of_scope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
