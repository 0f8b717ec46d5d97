/*
 * Makes the heap profile's text of every version of gperftools alike. Since 2.16 its
 * stacks come in no order, and since 2.18 each begins with functions of the allocator
 * itself, which a reader that has no names for them takes for the ones to blame.
 */
#ifndef LAB_DEBUG_HEAP_TIDY_H
#define LAB_DEBUG_HEAP_TIDY_H

#include <stdint.h>

/* Puts the stacks with the most bytes in use first. Of each it takes away the first
 * frames that lie in the allocator's code, from `code_start` up to `code_end`: as many
 * as all stacks have. What 2.10 writes is in order and has none, so it stays as it is.
 * Works in place, with memory from the kernel; returns 0, or -ENOMEM with nothing done.
 */
int heap_tidy(char *text, uintptr_t code_start, uintptr_t code_end);

#endif
