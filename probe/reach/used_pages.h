/*
 * Which pages of a mapping the program has used so far. In the others nothing can be,
 * and reading them does harm: it takes time, as a mapping may be far larger than the
 * memory of the machine; and of shared memory it takes memory, for good. Called in the
 * frozen copy of the process (reach.h): it allocates nothing, and takes no lock.
 */
#ifndef PROBE_REACH_USED_PAGES_H
#define PROBE_REACH_USED_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/threads/thread_park.h"

/* Opens /proc/self/pagemap. Returns the descriptor, which the copy must keep, or -1. */
int probe_used_pages_open(void);

/* The next pages that are used: from `at` on, or further up, but before `end`. `shared`
 * memory is that of MAP_SHARED without a file on a disk; other memory must be private
 * and without a file. Both addresses are of pages. Returns false if there are none. */
bool probe_used_pages_next(uintptr_t at, uintptr_t end, bool shared,
                           struct range *ret_part);

/* Whether shared memory may have been moved to the disk: then some of it is not found
 * here. */
bool probe_used_pages_may_miss_shared(void);

#endif
