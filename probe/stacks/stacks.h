/*
 * A set of call stacks. Each different stack is kept once, with the sums of its values.
 * Profiles of all formats are written from such a set.
 */
#ifndef PROBE_STACKS_STACKS_H
#define PROBE_STACKS_STACKS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "probe/stacks/hash_table.h"

#define STACK_VALUES 4
#define STACK_DEPTH_MAX 128 /* the frames beyond are left out when a stack is taken */

/* Frames are addresses inside an instruction, the innermost first. For the leaf it is
 * the address of its instruction; for a caller it is the return address minus one,
 * which is inside the call. */
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

/* Adds `values` to those of the stack. Writes the stack's number to ret_number (may be
 * NULL). Returns 0 or -ENOMEM. */
int probe_stacks_add(struct stacks *stacks, const uintptr_t *frames, size_t depth,
                     const int64_t values[STACK_VALUES], size_t *ret_number);

/* Stack number `number`, of `stacks->count`, in the order in which they were added. */
struct stack *probe_stacks_at(const struct stacks *stacks, size_t number);

/* The frames of a stack. Pointers to stacks and frames are valid until the next
 * probe_stacks_add. */
const uintptr_t *probe_stacks_frames(const struct stacks *stacks,
                                     const struct stack *stack);

void probe_stacks_release(struct stacks *stacks);

#endif
