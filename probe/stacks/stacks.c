/*
 * The frames of all stacks are in one long array; a hash table finds a stack by the
 * hash of its frames.
 */
#include "probe/stacks/stacks.h"

#include <errno.h>
#include <string.h>

/* Equal stacks have equal hashes. Different stacks almost never do. */
static uint64_t stack_hash(const uintptr_t *frames, size_t depth)
{
    uint64_t hash = depth;
    for (size_t i = 0; i < depth; i++) {
        hash = probe_table_mix(hash + frames[i] + 0x9e3779b97f4a7c15U);
    }
    return hash;
}

struct stack *probe_stacks_at(const struct stacks *stacks, size_t number)
{
    return (struct stack *)(void *)stacks->entries.data + number;
}

const uintptr_t *probe_stacks_frames(const struct stacks *stacks,
                                     const struct stack *stack)
{
    return (const uintptr_t *)(const void *)stacks->frames.data + stack->first;
}

/* Appends a stack whose values are all zero. */
static int stack_append(struct stacks *stacks, const uintptr_t *frames, size_t depth)
{
    struct stack stack = {.first = stacks->frames.length / sizeof(*frames),
                          .depth = depth};
    buffer_append(&stacks->frames, frames, depth * sizeof(*frames));
    buffer_append(&stacks->entries, &stack, sizeof(stack));
    if (stacks->frames.error != 0 || stacks->entries.error != 0) {
        return -ENOMEM;
    }
    stacks->count++;
    return 0;
}

int probe_stacks_add(struct stacks *stacks, const uintptr_t *frames, size_t depth,
                     const int64_t values[STACK_VALUES], size_t *ret_number)
{
    struct stack *stack = NULL;
    uint32_t *number = NULL;
    for (uint64_t key = stack_hash(frames, depth); stack == NULL; key++) {
        number = probe_table_at(&stacks->index, key);
        if (number == NULL) {
            return -ENOMEM;
        }
        if (*number == 0) {
            if (stack_append(stacks, frames, depth) != 0) {
                return -ENOMEM;
            }
            *number = (uint32_t)stacks->count;
        }
        /* Two stacks can have the same hash: the second one is stored under the next
         * key. */
        stack = probe_stacks_at(stacks, *number - 1);
        if (stack->depth != depth || memcmp(probe_stacks_frames(stacks, stack), frames,
                                            depth * sizeof(*frames)) != 0) {
            stack = NULL;
        }
    }
    for (size_t i = 0; i < STACK_VALUES; i++) {
        /* A sum that is too large wraps around; for unsigned numbers C allows that. */
        stack->values[i] = (int64_t)((uint64_t)stack->values[i] + (uint64_t)values[i]);
    }
    if (ret_number != NULL) {
        *ret_number = *number - 1;
    }
    return 0;
}

void probe_stacks_release(struct stacks *stacks)
{
    buffer_release(&stacks->frames);
    buffer_release(&stacks->entries);
    probe_table_release(&stacks->index);
    stacks->count = 0;
}
