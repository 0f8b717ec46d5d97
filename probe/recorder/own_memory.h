/*
 * The recorder's own memory. It comes from mmap, never from the allocator that is
 * recorded, and is counted: a profile's reader may want to know what the profile costs.
 */
#ifndef PROBE_RECORDER_OWN_MEMORY_H
#define PROBE_RECORDER_OWN_MEMORY_H

#include <stddef.h>

/* Takes zeroed memory; NULL when the system has none. */
void *probe_own_memory_take(size_t bytes);

/* Gives memory back; `memory` may be NULL. */
void probe_own_memory_give(void *memory, size_t bytes);

/* How much is taken now. */
size_t probe_own_memory_bytes(void);

#endif
