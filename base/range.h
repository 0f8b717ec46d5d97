/*
 * A part of the memory.
 */
#ifndef BASE_RANGE_H
#define BASE_RANGE_H

#include <stdint.h>

struct range {
    uintptr_t start;
    uintptr_t end; /* the first address after it */
};

#endif
