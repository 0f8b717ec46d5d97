/*
 * What a mapping is, as far as the kernel says: the kinds of the profile of mappings.
 */
#ifndef PROBE_RESOURCES_MAPPING_KIND_H
#define PROBE_RESOURCES_MAPPING_KIND_H

#include <stdbool.h>

#include "probe/reach/maps_text.h"

/* The kind of a line: "anonymous", "library", "file" ... `is_code`: its file is mapped
 * as code, too. */
const char *probe_mapping_kind(const struct maps_line *line, bool is_code);

/* Whether the two lines show the same file, or the same word in its place. */
bool probe_mapping_same_file(const struct maps_line *one,
                             const struct maps_line *other);

/* Whether the file of this line is mapped as code, here or in the lines of the same
 * file that follow it; `next` is behind the line. */
bool probe_mapping_is_code(const struct maps_line *first, const char *next);

/* Whether the kernel has made it for the program, and not for a call: its stack, the
 * page of the clock. */
bool probe_mapping_is_kernels(const struct maps_line *line);

/* Whether it is the heap of brk(2). */
bool probe_mapping_is_brk(const struct maps_line *line);

#endif
