/*
 * A hash table from keys of 64 bits to numbers of 32 bits. Its memory is a buffer's
 * (base/buffer.h says why it is not malloc's).
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

/* A pointer to the number of `key`. The number is 0 if the key is new: the caller then
 * stores one that is not 0. The pointer is valid until the next call. NULL when memory
 * is short. */
uint32_t *probe_table_at(struct table *table, uint64_t key);

void probe_table_release(struct table *table);

/* Spreads the bits of `key` over all bits of the result. */
uint64_t probe_table_mix(uint64_t key);

#endif
