/*
 * Stacks of calls, each kept once, with values that are summed up: what a profile is
 * before it is written in one format or another.
 */
#ifndef PROBE_STACKS_STACKS_H
#define PROBE_STACKS_STACKS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "probe/stacks/hash_table.h"

#define STACK_VALUES 4
#define STACK_DEPTH_MAX 128 /* deeper frames are left out by those who take stacks */

/* Frames are addresses inside an instruction, the innermost first: the leaf's own, and
 * for its callers the return address less one, which is inside the call. */
struct stack {
    size_t first; /* index of its first frame among all frames */
    size_t depth;
    int64_t values[STACK_VALUES];
};

/* Lives in memory that the caller owns; { 0 } is empty. */
struct stacks {
    struct buffer frames;
    struct buffer entries;
    struct table index;
    size_t count;
};

/* Adds `values` to those of the stack, whose number goes to ret_number (may be NULL).
 * Returns 0 or -ENOMEM. */
int probe_stacks_add(struct stacks *stacks, const uintptr_t *frames, size_t depth,
                     const int64_t values[STACK_VALUES], size_t *ret_number);

/* Stack number `number`, of `stacks->count`, in the order in which they were added. */
struct stack *probe_stacks_at(const struct stacks *stacks, size_t number);

/* Its frames. Pointers are good until the next probe_stacks_add. */
const uintptr_t *probe_stacks_frames(const struct stacks *stacks,
                                     const struct stack *stack);

void probe_stacks_release(struct stacks *stacks);

#endif
