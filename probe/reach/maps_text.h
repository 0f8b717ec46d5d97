/*
 * A line of /proc/self/maps (proc(5)). For the frozen copy of the process (reach.h): it
 * has the text already, and must not allocate; so stacks/maps.h is not for it.
 */
#ifndef PROBE_REACH_MAPS_TEXT_H
#define PROBE_REACH_MAPS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "probe/reach/ranges.h"

struct maps_line {
    struct range range;
    bool readable;
    bool writable;
    const char *path; /* in the text; not ended by '\0' */
    size_t path_bytes;
};

/* Reads the line at `at`, in a text that ends with '\0'. Returns where the next one
 * begins; NULL if there was none to read. */
const char *probe_maps_line_read(const char *at, struct maps_line *ret_line);

/* Whether this is the mapping's path, or what the kernel shows instead ("[heap]"). */
bool probe_maps_line_is(const struct maps_line *line, const char *path);

/* Whether the mapping is a device's, which may notice that it is read, or the kernel's
 * own. */
bool probe_maps_line_is_special(const struct maps_line *line);

#endif
