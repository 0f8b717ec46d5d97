/*
 * A table finds the number that belongs to a key of 64 bits: a hash table with open
 * addressing, in a buffer's memory (see buffer.h for why not malloc).
 */
#ifndef PROBE_STACKS_HASH_TABLE_H
#define PROBE_STACKS_HASH_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* Lives in memory that the caller owns; { 0 } is empty. */
struct table {
    struct buffer slots;
    size_t count;    /* keys */
    size_t capacity; /* slots, a power of two */
};

/* The number of `key`, 0 if it has none yet: the caller then writes one there, which
 * must not be 0. The pointer is good until the next call. NULL: out of memory. */
uint32_t *probe_table_at(struct table *table, uint64_t key);

void probe_table_release(struct table *table);

/* Spreads the bits of `key` over all bits of the result. */
uint64_t probe_table_mix(uint64_t key);

#endif
