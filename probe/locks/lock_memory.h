/*
 * Which memory other processes may have too. A lock in there names its owner by a
 * number that proves nothing: the owner may be in another process, with the same number
 * in another namespace of processes; or it was in a process that has ended.
 */
#ifndef PROBE_LOCKS_LOCK_MEMORY_H
#define PROBE_LOCKS_LOCK_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

/* Lives in memory that the caller owns; { 0 } is empty. */
struct lock_memory {
    struct buffer own; /* struct range, by address: the mappings that are private */
};

/* Reads them from /proc/self/maps (proc(5)). Returns 0 or -errno. */
int probe_lock_memory_read(struct lock_memory *memory);

/* Whether the address is in a mapping that is shared, or that is not known. */
bool probe_lock_memory_is_shared(const struct lock_memory *memory, uintptr_t address);

void probe_lock_memory_release(struct lock_memory *memory);

#endif
