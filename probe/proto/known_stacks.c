/*
 * Keys and ids are in one long buffer. A hash table finds a stack by the hash of its
 * key.
 */
#include "probe/proto/known_stacks.h"

#include <errno.h>
#include <string.h>

/* FNV-1a (Fowler, Noll, Vo) over eight bytes at a time. The multiplication only moves
 * bits up, so the upper half of each eight bytes is folded into the lower half. */
static uint64_t key_hash(const char *key, size_t key_bytes)
{
    uint64_t hash = 0xcbf29ce484222325U ^ key_bytes;
    const char *end = key + key_bytes;
    uint64_t piece = 0;
    for (; end - key >= (ptrdiff_t)sizeof(piece); key += sizeof(piece)) {
        memcpy(&piece, key, sizeof(piece));
        hash = (hash ^ piece) * 0x100000001b3U;
        hash ^= hash >> 32;
    }
    piece = 0;
    memcpy(&piece, key, (size_t)(end - key));
    return (hash ^ piece) * 0x100000001b3U;
}

static const struct known_stack *known_at(const struct known_stacks *stacks,
                                          uint32_t number)
{
    return (const struct known_stack *)(const void *)stacks->entries.data + number - 1;
}

static bool known_is(const struct known_stacks *stacks, uint32_t number,
                     const char *key, size_t key_bytes)
{
    const struct known_stack *known = known_at(stacks, number);
    return known->key_bytes == key_bytes &&
           memcmp(stacks->bytes.data + known->key, key, key_bytes) == 0;
}

/* The entry of the index for this key: the stack's number, or 0 if the key is new. NULL
 * when memory is short. */
static uint32_t *known_find(struct known_stacks *stacks, const char *key,
                            size_t key_bytes)
{
    for (uint64_t hash = key_hash(key, key_bytes);; hash++) {
        uint32_t *number = probe_table_at(&stacks->index, hash);
        if (number == NULL || *number == 0) {
            return number;
        }
        /* Two keys can have the same hash: the second one is stored under the next
         * hash. */
        if (known_is(stacks, *number, key, key_bytes)) {
            return number;
        }
    }
}

const struct known_stack *probe_known_stacks_find(struct known_stacks *stacks,
                                                  const char *key, size_t key_bytes)
{
    /* Profiles of one program list their stacks in nearly the same order, so try the
     * stack after the last one before searching the index. */
    uint32_t guess = stacks->last + 1;
    if (guess > stacks->count || !known_is(stacks, guess, key, key_bytes)) {
        const uint32_t *number = known_find(stacks, key, key_bytes);
        guess = number == NULL ? 0 : *number;
    }
    if (guess == 0) {
        return NULL;
    }
    stacks->last = guess;
    return known_at(stacks, guess);
}

const void *probe_known_stacks_ids(const struct known_stacks *stacks,
                                   const struct known_stack *known)
{
    return stacks->bytes.data + known->ids;
}

int probe_known_stacks_add(struct known_stacks *stacks, const char *key,
                           size_t key_bytes, const void *ids, size_t ids_bytes)
{
    struct known_stack known = {.key = stacks->bytes.length,
                                .key_bytes = key_bytes,
                                .ids = stacks->bytes.length + key_bytes,
                                .ids_bytes = ids_bytes};
    buffer_append(&stacks->bytes, key, key_bytes);
    buffer_append(&stacks->bytes, ids, ids_bytes);
    buffer_append(&stacks->entries, &known, sizeof(known));
    uint32_t *number = known_find(stacks, key, key_bytes);
    if (number == NULL || stacks->bytes.error != 0 || stacks->entries.error != 0) {
        return -ENOMEM;
    }
    *number = ++stacks->count;
    return 0;
}

void probe_known_stacks_release(struct known_stacks *stacks)
{
    buffer_release(&stacks->bytes);
    buffer_release(&stacks->entries);
    probe_table_release(&stacks->index);
    *stacks = (struct known_stacks){0};
}
