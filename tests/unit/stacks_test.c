/*
 * Tests of stacks: equal stacks are kept once, different ones apart, whatever their
 * number; and the hash table keeps every key when it grows.
 */
#include "probe/stacks/stacks.h"

#include "probe/stacks/hash_table.h"
#include "unit.h"

#define MANY 20000

static const int64_t one[STACK_VALUES] = {1, 2, 3, -4};

static void equal_stacks_are_summed_up(void **state)
{
    (void)state;
    struct stacks stacks = {0};
    for (size_t round = 0; round < 3; round++) {
        for (uintptr_t i = 0; i < MANY; i++) {
            uintptr_t frames[] = {i, i / 7, i % 5};
            size_t number = 0;
            assert_int_equal(probe_stacks_add(&stacks, frames, 3, one, &number), 0);
            assert_int_equal(number, i);
        }
    }
    assert_int_equal(stacks.count, MANY);
    for (size_t i = 0; i < MANY; i++) {
        const struct stack *stack = probe_stacks_at(&stacks, i);
        assert_int_equal(stack->depth, 3);
        assert_int_equal(probe_stacks_frames(&stacks, stack)[0], i);
        assert_int_equal(stack->values[2], 9);
        assert_int_equal(stack->values[3], -12);
    }
    probe_stacks_release(&stacks);
}

static void a_part_of_a_stack_is_another_stack(void **state)
{
    (void)state;
    struct stacks stacks = {0};
    uintptr_t frames[STACK_DEPTH_MAX] = {0};
    for (size_t depth = 0; depth <= STACK_DEPTH_MAX; depth++) {
        assert_int_equal(probe_stacks_add(&stacks, frames, depth, one, NULL), 0);
    }
    assert_int_equal(stacks.count, STACK_DEPTH_MAX + 1);
    probe_stacks_release(&stacks);
}

static void a_table_finds_every_key_again(void **state)
{
    (void)state;
    struct table table = {0};
    for (uint32_t i = 1; i <= MANY; i++) {
        uint32_t *number = probe_table_at(&table, (uint64_t)i << 32);
        assert_non_null(number);
        assert_int_equal(*number, 0);
        *number = i;
    }
    assert_int_equal(*probe_table_at(&table, 0), 0);
    *probe_table_at(&table, 0) = MANY + 1;
    for (uint32_t i = 1; i <= MANY; i++) {
        assert_int_equal(*probe_table_at(&table, (uint64_t)i << 32), i);
    }
    assert_int_equal(*probe_table_at(&table, 0), MANY + 1);
    probe_table_release(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_stacks_are_summed_up),
        cmocka_unit_test(a_part_of_a_stack_is_another_stack),
        cmocka_unit_test(a_table_finds_every_key_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
