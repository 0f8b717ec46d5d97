/*
 * The allocator of this process: whether it is the GNU C library's own.
 */
#ifndef PROBE_PROCESS_ALLOCATOR_H
#define PROBE_PROCESS_ALLOCATOR_H

#include <stdbool.h>

/* Whether calls of malloc and free, anyone's, reach the GNU C library's functions:
 * directly, or through those of the file that this function is in. It is looked for
 * once. False if that is not certain. */
bool probe_allocator_is_glibc(void);

#endif
