/*
 * A snapshot of the heap as a numbered dump, for the implementations of heap.h.
 */
#ifndef PROBE_HEAP_HEAP_DUMP_H
#define PROBE_HEAP_HEAP_DUMP_H

#include <stddef.h>
#include <stdint.h>

#include "probe/heap/heap_snapshot.h"

/* Writes a snapshot of raw values as a dump, see probe_heap_dump. */
int probe_heap_dump_write(const struct heap_snapshot *snapshot, const char *directory,
                          const char *name, char *ret_path, size_t path_size,
                          uint64_t *ret_in_use_bytes);

#endif
