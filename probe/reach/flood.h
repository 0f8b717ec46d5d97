/*
 * Which blocks can be reached, and through which others: from every word that may be a
 * pointer, as a conservative garbage collector does. Pointers into the middle of a
 * block count. Runs in the frozen copy of the process (reach.h): it allocates nothing
 * but by mmap, and takes no lock.
 */
#ifndef PROBE_REACH_FLOOD_H
#define PROBE_REACH_FLOOD_H

#include <stdint.h>

#include "probe/reach/block_index.h"
#include "probe/threads/thread_park.h"

/* Kinds of roots, in the order in which they claim blocks. */
enum reach_kind {
    REACH_GLOBAL,
    REACH_THREAD_LOCAL,
    REACH_STACK,
    REACH_THREAD, /* what the C library keeps of a thread: what it was started with, and
                     what pthread_setspecific has set */
    REACH_MAPPING,
    REACH_KERNEL,
    REACH_KINDS
};

/* A word outside of all blocks that points to a block. */
struct reach_root {
    uintptr_t place; /* the address of the word; 0: the kernel has it */
    uintptr_t code;  /* of REACH_STACK: the function in whose frame it is; 0: not known.
                        Of REACH_THREAD_LOCAL in a library that was opened later: an
                        address in its code, and `place` is where the word is among its
                        variables. Of REACH_KERNEL: what has it, a text */
    uint32_t thread; /* of REACH_STACK, REACH_THREAD and REACH_THREAD_LOCAL: number in
                        the list */
    uint32_t block;  /* what it points to */
    uint32_t holder; /* whose it is: equal numbers are the same holder */
    enum reach_kind kind;
};

/* Parts of blocks in which no pointer counts: few, in no order. */
struct flood_idle {
    const struct range *parts;
    size_t count;
};

/* Fills in holder, from and root of every block, and whether it is shared or indirect.
 * Roots of a kind come before those of the next. `reached`, which has room for all
 * blocks, gets the numbers of those that are held, in the order in which they were
 * reached: so what a block is held through comes before it. Returns 0 or -ENOMEM. */
int probe_flood(const struct block_index *index, const struct reach_root *roots,
                uint32_t roots_count, const struct flood_idle *idle, uint32_t *reached,
                uint32_t *ret_reached_count);

#endif
