/*
 * Makes the heap profiles of different gperftools versions look the same. Since 2.16
 * the stacks are not sorted. Since 2.18 each stack begins with functions of the
 * allocator itself; a reader that cannot name them would blame the allocator for the
 * memory. And with any version, functions of the probe's may be in the middle.
 */
#ifndef PROBE_HEAP_HEAP_TIDY_H
#define PROBE_HEAP_HEAP_TIDY_H

#include "base/range.h"

/* Sorts the stacks, those with the most bytes in use first, and removes the allocator's
 * frames from the start of each; from every stack the same number is removed, the
 * smallest that any stack has. The text of 2.10 is sorted and has none. Frames in
 * `calls` are removed wherever they are. Works in place, with temporary memory from
 * mmap. Returns 0, or -ENOMEM with nothing changed. */
int probe_heap_tidy(char *text, struct range allocator, struct range calls);

#endif
