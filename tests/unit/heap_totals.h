/*
 * The sums of a heap profile in profile.proto, for tests.
 */
#ifndef TESTS_UNIT_HEAP_TOTALS_H
#define TESTS_UNIT_HEAP_TOTALS_H

#include "probe/heap/heap_profile.h"
#include "proto_reader.h"
#include "unit.h"

/* The profile's four values, each summed over all stacks, must be these. */
static inline void assert_totals(const struct buffer *buffer, int64_t alloc_objects,
                                 int64_t alloc_space, int64_t inuse_objects,
                                 int64_t inuse_space)
{
    int64_t totals[8];
    profile_totals(proto_of(buffer), totals);
    assert_int_equal(totals[HEAP_ALLOC_OBJECTS], alloc_objects);
    assert_int_equal(totals[HEAP_ALLOC_SPACE], alloc_space);
    assert_int_equal(totals[HEAP_INUSE_OBJECTS], inuse_objects);
    assert_int_equal(totals[HEAP_INUSE_SPACE], inuse_space);
}

#endif
