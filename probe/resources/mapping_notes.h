/*
 * Which stack mapped each part of the memory.
 */
#ifndef PROBE_RESOURCES_MAPPING_NOTES_H
#define PROBE_RESOURCES_MAPPING_NOTES_H

#include <stddef.h>
#include <stdint.h>

#include "probe/resources/resources.h"

/* Notes the pages from `memory` on, `bytes` bytes, for the caller of the function with
 * this frame. Does nothing if `memory` is MAP_FAILED. */
void probe_mapping_made(const void *memory, size_t bytes, const void *frame);

/* Forgets them: they are about to be unmapped. */
void probe_mapping_gone(const void *memory, size_t bytes);

#endif
