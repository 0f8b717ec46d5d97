/*
 * What the C library's allocator has mapped for itself, out of our sight: the arenas of
 * threads, and large blocks. They are told by what stands at their beginning (glibc's
 * malloc/arena.c and malloc/malloc.c).
 */
#ifndef PROBE_RESOURCES_LIBC_HEAP_H
#define PROBE_RESOURCES_LIBC_HEAP_H

#include "base/range.h"

/* How much of a private mapping without a name, from its start on, is the allocator's:
 * up to the address that is returned; the start itself if it is not. */
uintptr_t probe_libc_heap_end(struct range range);

#endif
