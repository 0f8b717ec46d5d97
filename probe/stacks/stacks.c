/*
 * Each different stack once: its frames in one long array, found again by their hash.
 */
#include "probe/stacks/stacks.h"

#include <errno.h>
#include <string.h>

/* A number that equal stacks share, and different ones practically never do. */
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
        /* Two stacks may share a hash: then the next key is the second one's. */
        stack = probe_stacks_at(stacks, *number - 1);
        if (stack->depth != depth || memcmp(probe_stacks_frames(stacks, stack), frames,
                                            depth * sizeof(*frames)) != 0) {
            stack = NULL;
        }
    }
    for (size_t i = 0; i < STACK_VALUES; i++) {
        /* Sums that are too large wrap around, as unsigned numbers may. */
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
