/*
 * The heap as our own recorder sees it (probe/recorder/): what the implementations of
 * heap.h have in common where it records.
 */
#ifndef PROBE_HEAP_HEAP_RECORDER_H
#define PROBE_HEAP_HEAP_RECORDER_H

#include <stdbool.h>
#include <stddef.h>

#include "probe/heap/heap.h"

/* Starts the recorder. Where it is to record every allocation, also makes one, and sees
 * whether it was recorded. Returns 0; -ENOTSUP if it was not: something else has the
 * allocations; or an error of probe_recorder_start. */
int probe_heap_recorder_start(enum heap_profile profile, size_t period);

/* Whether the recorder records. */
bool probe_heap_recorded(void);

/* As probe_heap_snapshot. Returns 0, -ENOTSUP if the recorder is off, or -ENOMEM. */
int probe_heap_recorder_snapshot(enum heap_values values,
                                 struct heap_snapshot *ret_snapshot);

/* As probe_heap_dump, without a limit to raise. */
int probe_heap_recorder_dump(const char *directory, const char *name, char *ret_path,
                             size_t path_size, uint64_t *ret_in_use_bytes);

/* Sets what is known from the recorder: in_use_bytes, and the figures that are
 * `counted`. Does nothing while the recorder is off. */
void probe_heap_recorder_figures(struct heap_figures *figures);

#endif
