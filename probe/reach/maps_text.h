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
    const char *access; /* "rw-p", in the text */
    bool readable;
    bool writable;
    bool shared;      /* what is written to it, others see, too */
    const char *path; /* in the text; not ended by '\0' */
    size_t path_bytes;
};

/* Reads the line at `at`, in a text that ends with '\0'. Returns where the next one
 * begins; NULL if there was none to read. */
const char *probe_maps_line_read(const char *at, struct maps_line *ret_line);

/* In the copy, before it maps anything: memory that the program has kept out of copies
 * (MADV_DONTFORK in madvise(2)) is in the text, but not here, and something else could
 * get its place. Such places are taken, and have no access in the text from then on.
 * Returns how many there were. */
size_t probe_maps_take_gaps(char *text);

/* Whether this is the mapping's path, or what the kernel shows instead ("[heap]"). */
bool probe_maps_line_is(const struct maps_line *line, const char *path);

/* Whether the mapping is a device's, which may notice that it is read, or the kernel's
 * own. */
bool probe_maps_line_is_special(const struct maps_line *line);

/* Whether it is memory that processes share, and not a file on a disk. */
bool probe_maps_line_is_shared_memory(const struct maps_line *line);

#endif
