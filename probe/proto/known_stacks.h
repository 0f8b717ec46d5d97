/*
 * Stacks of earlier profiles, each with the encoded ids of its locations. The key of a
 * stack is the text that it was read from, so the text of a known stack is not parsed
 * again.
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
    size_t ids; /* offset in `bytes` of its encoded location ids */
    size_t ids_bytes;
};

/* Lives in memory that the caller owns; { 0 } is empty. */
struct known_stacks {
    struct buffer bytes;   /* keys and ids */
    struct buffer entries; /* struct known_stack */
    struct table index;    /* by the key's hash */
    uint32_t count;
    uint32_t last; /* number of the stack found last; 0: start at the first */
};

/* Finds a stack. Returns NULL if the key is new. The pointer is valid until the next
 * stack is added. */
const struct known_stack *probe_known_stacks_find(struct known_stacks *stacks,
                                                  const char *key, size_t key_bytes);

/* The encoded ids of a stack: `ids_bytes` bytes, owned by `stacks`. */
const void *probe_known_stacks_ids(const struct known_stacks *stacks,
                                   const struct known_stack *known);

/* Adds a stack whose key is new. Returns 0 or -ENOMEM; after -ENOMEM the contents are
 * not valid and must be released. */
int probe_known_stacks_add(struct known_stacks *stacks, const char *key,
                           size_t key_bytes, const void *ids, size_t ids_bytes);

void probe_known_stacks_release(struct known_stacks *stacks);

#endif
