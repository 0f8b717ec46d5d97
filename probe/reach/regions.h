/*
 * Which parts of the memory may hold pointers to blocks, and are not blocks themselves:
 * the roots of the search. Made in the frozen copy of the process, from its mappings.
 *
 *   data of the program and its libraries     REACH_GLOBAL
 *   thread-local variables                    REACH_THREAD_LOCAL
 *   stacks, from the stack pointer upwards    REACH_STACK
 *   what the C library keeps of a thread      REACH_THREAD
 *   other memory that can be written, and
 *   memory without a file that can be read    REACH_MAPPING
 *
 * Left out: where the allocator has its blocks and its books; stacks of threads that
 * have ended, which the C library keeps for the next thread (but not the result that
 * nobody has joined yet); the part of a thread's own stack that is not in use; the
 * probe's own memory; devices. Files that are mapped only to be read are not searched,
 * nor is memory without access if it is large.
 */
#ifndef PROBE_REACH_REGIONS_H
#define PROBE_REACH_REGIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/reach/flood.h"
#include "probe/reach/regions_input.h"

struct reach_region {
    uintptr_t start;
    uintptr_t end;
    uint32_t thread; /* number in the list; REACH_NONE: no thread's */
    enum reach_kind kind;
    bool libc; /* a pointer into the last 8 bytes of a block does not count: it is to
                  the header of the next chunk */
};

/* Writes the regions, in no order, at most `room`. Returns how many there are; more
 * than `room`: the rest is left out. -1 if memory is short. */
long probe_regions_make(const struct regions_input *input, struct reach_region *regions,
                        size_t room);

/* Writes the parts of blocks that are stacks of threads, but below the stack pointer,
 * so not in use; at most one a thread. Returns how many there are. */
size_t probe_regions_idle(const struct regions_input *input, struct range *parts);

#endif
