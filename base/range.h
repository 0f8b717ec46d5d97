/*
 * A part of the memory.
 */
#ifndef BASE_RANGE_H
#define BASE_RANGE_H

#include <stdbool.h>
#include <stdint.h>

struct range {
    uintptr_t start;
    uintptr_t end; /* the first address after it */
};

static inline bool range_has(struct range range, uintptr_t address)
{
    return address >= range.start && address < range.end;
}

#endif
