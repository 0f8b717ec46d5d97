/*
 * How much memory stays mapped for the stack of a thread: the mapping in which its
 * pthread_t points, as the C library puts a thread's own data at the end of its stack.
 */
#ifndef PROBE_RESOURCES_STACK_MAPPINGS_H
#define PROBE_RESOURCES_STACK_MAPPINGS_H

#include <pthread.h>
#include <stddef.h>

#include "base/buffer.h"

/* The mappings that can be written to. Lives in memory that the caller owns; { 0 } is
 * empty. */
struct stack_mappings {
    struct buffer ranges; /* struct range, by address */
};

/* Reads them from /proc/self/maps (proc(5)). Returns 0 or -errno. */
int probe_stack_mappings_read(struct stack_mappings *mappings);

/* How many bytes of the stack of this thread are mapped; at most `most`, because the
 * mapping may have more than the stack in it. 0: none that is known. */
size_t probe_stack_mapped(const struct stack_mappings *mappings, pthread_t thread,
                          size_t most);

void probe_stack_mappings_release(struct stack_mappings *mappings);

#endif
