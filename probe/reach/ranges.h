/*
 * Ranges of addresses, and a list of them that grows. Made for the frozen copy of the
 * process (reach.h): the list's memory is from mmap.
 */
#ifndef PROBE_REACH_RANGES_H
#define PROBE_REACH_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/range.h"

/* {0} is empty. */
struct ranges {
    struct range *data;
    size_t count;
    size_t room;
    bool failed; /* memory was short: ranges are missing */
};

/* Adds a range, if it is not empty. */
void probe_ranges_add(struct ranges *ranges, uintptr_t start, uintptr_t end);

/* Sorts them, and joins those that touch or overlap. */
void probe_ranges_sort(struct ranges *ranges);

/* The number of the first range that ends behind the address; `count` if there is none.
 * They must be sorted. */
size_t probe_ranges_from(const struct range *ranges, size_t count, uintptr_t address);

void probe_ranges_release(struct ranges *ranges);

/* The address, or the end of the range that is nearest to it. */
uintptr_t probe_range_clamp(struct range range, uintptr_t address);

/* The word at an address, which may be any. */
static inline uintptr_t word_at(uintptr_t address)
{
    uintptr_t word;
    memcpy(&word, (const void *)address, sizeof(word));
    return word;
}

#endif
