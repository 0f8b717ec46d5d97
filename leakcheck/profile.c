/*
 * Profiles once they are read: look-up and release.
 */
#include "profile.h"

#include <stdlib.h>
#include <string.h>

#include "profile_text.h"

int record_compare(const void *left, const void *right)
{
    const struct record *a = left;
    const struct record *b = right;
    size_t depth = a->depth < b->depth ? a->depth : b->depth;
    for (size_t i = 0; i < depth; i++) {
        if (a->addresses[i] != b->addresses[i]) {
            return a->addresses[i] < b->addresses[i] ? -1 : 1;
        }
    }
    return a->depth == b->depth ? 0 : a->depth < b->depth ? -1 : 1;
}

const struct record *profile_find(const struct profile *profile,
                                  const uint64_t *addresses, size_t depth)
{
    /* The key is only read: the cast takes away a const that bsearch gives back. */
    struct record key = {.addresses = (uint64_t *)(uintptr_t)addresses, .depth = depth};
    if (profile->count == 0) {
        return NULL;
    }
    return bsearch(&key, profile->records, profile->count, sizeof(key), record_compare);
}

bool profile_in_program(const struct profile *profile, uint64_t address)
{
    for (size_t i = 0; i < profile->mapping_count; i++) {
        const struct mapping *mapping = &profile->mappings[i];
        if (address >= mapping->start && address < mapping->end) {
            return strcmp(mapping->path, profile->mappings[0].path) == 0;
        }
    }
    return false;
}

void profile_release(struct profile *profile)
{
    free(profile->records);
    free(profile->mappings);
    arena_release(&profile->arena);
    *profile = (struct profile){0};
}
