/*
 * Look-ups and comparisons in a parsed profile. The parsers sort stacks and mappings,
 * so look-ups are binary searches.
 */
#include "leakcheck/measure/profile.h"

#include <stdlib.h>
#include <string.h>

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
    /* The cast removes const, but bsearch only reads the key. */
    struct record key = {.addresses = (uint64_t *)(uintptr_t)addresses, .depth = depth};
    if (profile->count == 0) {
        return NULL;
    }
    return bsearch(&key, profile->records, profile->count, sizeof(key), record_compare);
}

const struct mapping *profile_mapping(const struct profile *profile, uint64_t address)
{
    size_t low = 0;
    size_t high = profile->mapping_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (profile->mappings[middle].end <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool inside =
        low < profile->mapping_count && profile->mappings[low].start <= address;
    return inside ? &profile->mappings[low] : NULL;
}

bool profile_in_program(const struct profile *profile, uint64_t address)
{
    const struct mapping *mapping = profile_mapping(profile, address);
    return mapping != NULL &&
           strcmp(mapping->path, profile->mappings[profile->program].path) == 0;
}

bool profile_grew(const struct profile *base, const struct profile *last)
{
    for (size_t i = 0; i < last->count; i++) {
        const struct record *record = &last->records[i];
        const struct record *before =
            profile_find(base, record->addresses, record->depth);
        int64_t in_use = before == NULL ? 0 : before->amounts.inuse_bytes;
        if (record->amounts.inuse_bytes > in_use) {
            return true;
        }
    }
    return false;
}

void profile_borrow_names(struct profile *profile, const struct profile *names)
{
    for (size_t i = 0; i < profile->count; i++) {
        struct record *record = &profile->records[i];
        const struct record *named =
            profile_find(names, record->addresses, record->depth);
        if (record->frame_count == 0 && named != NULL) {
            record->frames = named->frames;
            record->frame_count = named->frame_count;
        }
    }
}

void profile_release(struct profile *profile)
{
    free(profile->records);
    free(profile->mappings);
    arena_release(&profile->arena);
    *profile = (struct profile){0};
}
