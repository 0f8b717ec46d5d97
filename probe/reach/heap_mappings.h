/*
 * The memory that the allocator has mapped for itself: the blocks are there, and what
 * it knows of them. A pointer in there holds no block; what a block holds is searched
 * apart. Without this list a whole mapping with a block in it is taken for the
 * allocator's, and one without a block for the program's.
 *
 * The list has a fixed size. If there is not enough room, or it could not be changed at
 * once, that is noted too: then the allocator's memory may be searched as the
 * program's, and some of what is lost may not be found.
 */
#ifndef PROBE_REACH_HEAP_MAPPINGS_H
#define PROBE_REACH_HEAP_MAPPINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/recorder/own_memory.h"

/* The allocator has mapped the range, from `start` up to but not including `end`. May
 * be called in a signal handler, as the other two: no memory is allocated. */
void probe_heap_mapping_add(uintptr_t start, uintptr_t end);

/* The range is no longer the allocator's: it is unmapped, or somebody else's. Most
 * ranges never were, and that is seen at once. */
void probe_heap_mapping_remove(uintptr_t start, uintptr_t end);

/* Whether the range is the allocator's, all of it. */
bool probe_heap_mapping_has(uintptr_t start, uintptr_t end);

/* The first of these ranges that ends behind the address; {0, 0}: there is none, or the
 * list is not right. While other threads run. */
struct range probe_heap_mapping_behind(uintptr_t address);

/* The ranges by address. `ret_all` says whether these are all. Valid only while no
 * other thread runs. */
const struct range *probe_heap_mappings(size_t *ret_count, bool *ret_all);

#endif
