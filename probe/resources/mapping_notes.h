/*
 * Which stack mapped each part of the memory. All functions keep errno, and may be
 * called in a signal handler and with locks of an allocator held: they allocate nothing
 * there.
 */
#ifndef PROBE_RESOURCES_MAPPING_NOTES_H
#define PROBE_RESOURCES_MAPPING_NOTES_H

#include <stddef.h>
#include <stdint.h>

#include "base/range.h"
#include "probe/resources/range_notes.h"
#include "probe/resources/resources.h"

/* In place of the number of a stack. */
#define MAPPING_BY_PROBE UINT32_MAX
#define MAPPING_AT_START (UINT32_MAX - 1)

/* What was noted of a range, so that it can be put back. Beyond MAPPING_PARTS the rest
 * is not kept. */
#define MAPPING_PARTS 8
struct mapping_parts {
    size_t count;
    struct range_note parts[MAPPING_PARTS];
};

/* Notes the pages from `memory` on, `bytes` bytes, for the caller of the function with
 * this frame; inside the probe, for the probe. Does nothing if `memory` is
 * MAP_FAILED. */
void probe_mapping_made(const void *memory, size_t bytes, const void *frame);

/* Forgets these pages: they are about to be unmapped, or are somebody's who is not
 * noted. */
void probe_mapping_gone(const void *memory, size_t bytes);

/* The same; what was noted is kept in `ret_parts`. */
void probe_mapping_take(const void *memory, size_t bytes,
                        struct mapping_parts *ret_parts);

/* The pages were not unmapped after all. */
void probe_mapping_put_back(const struct mapping_parts *parts);

/* What was noted of the pages at `from`, of `bytes` bytes, is now at `to`, with
 * `new_bytes` bytes; what has come to it at the end is noted as the last part. */
void probe_mapping_moved(const struct mapping_parts *parts, const void *from,
                         size_t bytes, const void *to, size_t new_bytes);

/* The same for a segment of shmat, whose size is noted, too: it is returned by the
 * second, or else 0. */
void probe_segment_made(const void *memory, size_t bytes, const void *frame);
size_t probe_segment_take(const void *memory, struct mapping_parts *ret_parts);
void probe_segment_put_back(const void *memory, size_t bytes,
                            const struct mapping_parts *parts);

/* Begins to note: what is there came with the program. Not in a signal handler.
 * (mappings_list.c) */
void probe_mapping_notes_start(void);

/* Sees to it that there is memory for some more notes. Not inside the probe: it may be
 * taking memory now. */
void probe_mapping_reserve(void);

/* Notes such a range. */
void probe_mapping_at_start(struct range range);

/* The first note that ends behind the address. Returns whether there is one. */
bool probe_mapping_find(uintptr_t address, struct range_note *ret_note);

/* Nothing is mapped there: takes away notes of what was unmapped unseen. Those of which
 * a part came to be there at `before` or later (probe_resource_now) stay. */
void probe_mapping_sweep(struct range range, uint32_t before);

/* How many mappings were not noted: memory was short, or the table was busy. */
uint64_t probe_mapping_missed(void);

/* Around fork. The child has the same mappings. */
void probe_mapping_hold(void);
void probe_mapping_release(void);

#endif
