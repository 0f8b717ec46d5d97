/*
 * The probe's own memory. It comes from mmap, never from the allocator that is
 * recorded, and is counted: a profile's reader may want to know what the profile costs.
 * Where it is, is noted too: a pointer in there does not hold a block of the program.
 */
#ifndef PROBE_RECORDER_OWN_MEMORY_H
#define PROBE_RECORDER_OWN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/range.h"

/* Takes zeroed memory; NULL when the system has none. */
void *probe_own_memory_take(size_t bytes);

/* Gives memory back; `memory` may be NULL. */
void probe_own_memory_give(void *memory, size_t bytes);

/* How much is taken now. */
size_t probe_own_memory_bytes(void);

/* Notes memory that the probe has taken in another way and keeps. It is not counted.
 * Returns false if memory is short, or a thread forks for long. */
bool probe_own_memory_note(const void *memory, size_t bytes);

/* Forgets it, before it is given back. Returns false if a thread forks for long: then
 * it is kept. */
bool probe_own_memory_forget(const void *memory);

/* What is taken or noted, in no order. Valid only while no other thread runs. */
const struct range *probe_own_memory_ranges(size_t *ret_count);

/* Copies the first `size` of them, while other threads run. Returns how many there
 * are. */
size_t probe_own_memory_copy(struct range *ret_ranges, size_t size);

/* Around fork: the list is not being changed. */
void probe_own_memory_hold(void);
void probe_own_memory_release(void);

#endif
