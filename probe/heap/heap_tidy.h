/*
 * Makes the heap profiles of different gperftools versions look alike. Since 2.16 the
 * stacks come in no order. Since 2.18 each begins with functions of the allocator
 * itself; a reader that cannot name these would blame them for the memory.
 */
#ifndef PROBE_HEAP_HEAP_TIDY_H
#define PROBE_HEAP_HEAP_TIDY_H

#include <stdint.h>

/* Puts the stacks with the most bytes in use first, and takes the allocator's frames
 * away from the start of each: those in its code, from `code_start` up to `code_end`,
 * and as many from each stack as every stack has at least. What 2.10 writes is in order
 * and has none, so it stays as it is. Works in place, with memory from the kernel.
 * Returns 0, or -ENOMEM with nothing done. */
int probe_heap_tidy(char *text, uintptr_t code_start, uintptr_t code_end);

#endif
