/*
 * What of the process's memory is no root, though it can be read: where the allocator
 * has its blocks and its books; stacks of threads that have ended, which the C library
 * keeps for the next thread; the probe's own memory. The kernel joins neighbouring
 * mappings into one, so a hole may be anywhere in a mapping. For the frozen copy of the
 * process (reach.h).
 */
#ifndef PROBE_REACH_HOLES_H
#define PROBE_REACH_HOLES_H

#include "probe/reach/ranges.h"
#include "probe/reach/regions_input.h"

/* {0} is empty. */
struct holes {
    struct ranges ranges; /* sorted */
    struct ranges kept;   /* parts of them that are roots all the same: the results of
                             threads that have ended and are not joined yet */
};

/* Finds them; `failed` of both lists says whether memory was short. */
void probe_holes_find(const struct regions_input *input, struct holes *ret_holes);

void probe_holes_release(struct holes *holes);

#endif
