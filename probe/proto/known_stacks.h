/*
 * Stacks that have been in a profile before, each with the encoded numbers of its
 * locations. A stack is known by a key: the text that it was read from. So the text of
 * a known stack need not be read again.
 */
#ifndef PROBE_PROTO_KNOWN_STACKS_H
#define PROBE_PROTO_KNOWN_STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "probe/stacks/hash_table.h"

struct known_stack {
    size_t key; /* offset in `bytes` */
    size_t key_bytes;
    size_t ids; /* offset there of its location ids, encoded */
    size_t ids_bytes;
};

/* Lives in memory that the caller owns; { 0 } is empty. */
struct known_stacks {
    struct buffer bytes;   /* keys and ids */
    struct buffer entries; /* struct known_stack */
    struct table index;    /* by the key's hash */
    uint32_t count;
    uint32_t last; /* the number that was found last; 0 begins anew */
};

/* NULL if the key is new. Good until the next stack is added. */
const struct known_stack *probe_known_stacks_find(struct known_stacks *stacks,
                                                  const char *key, size_t key_bytes);

/* Its `ids_bytes` bytes of ids. */
const void *probe_known_stacks_ids(const struct known_stacks *stacks,
                                   const struct known_stack *known);

/* Adds a stack whose key is new. Returns 0 or -ENOMEM: then what is known can no more
 * be relied on, and must be released. */
int probe_known_stacks_add(struct known_stacks *stacks, const char *key,
                           size_t key_bytes, const void *ids, size_t ids_bytes);

void probe_known_stacks_release(struct known_stacks *stacks);

#endif
