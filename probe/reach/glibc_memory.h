/*
 * Where the C library's allocator has its blocks: in mappings of their own, in arenas,
 * and those of the main arena in [heap] and elsewhere. From the headers of its chunks
 * and arenas, see glibc's malloc/malloc.c and malloc/arena.c. For the frozen copy of
 * the process (reach.h).
 */
#ifndef PROBE_REACH_GLIBC_MEMORY_H
#define PROBE_REACH_GLIBC_MEMORY_H

#include "probe/reach/block_index.h"
#include "probe/reach/ranges.h"

/* The mapping of a block that has one of its own, or its arena. {0, 0}: the block is in
 * the main arena. */
struct range probe_glibc_range(const struct reach_block *block);

/* Adds these ranges of all blocks. */
void probe_glibc_blocks(const struct block_index *index, struct ranges *ranges);

/* Adds the arenas in the mapping, also those without a block that is in use. */
void probe_glibc_arenas(struct range mapping, struct ranges *ranges);

#endif
