/*
 * The libraries that the probe loads while the program runs: their mappings are the
 * probe's own. The loader maps them by system calls that nobody sees.
 */
#ifndef PROBE_SYMBOLS_OWN_LIBRARIES_H
#define PROBE_SYMBOLS_OWN_LIBRARIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/range.h"

#define OWN_LIBRARIES_MOST                                                             \
    512 /* libraries in a process; with more, none is the probe's */
#define OWN_LIBRARIES_NEEDED 64

/* Lives on the caller's stack. */
struct own_libraries {
    uintptr_t known[OWN_LIBRARIES_MOST]; /* addresses of what was there before, or
                                            was added since */
    size_t known_count;
    const char *needed[OWN_LIBRARIES_NEEDED];
    size_t needed_count;
    bool found; /* one more, in this pass */
};

/* Before dlopen: remembers what is there. */
void probe_own_libraries_begin(struct own_libraries *libraries);

/* After it, if the library stays for good: remembers it, and of what it needs, in turn,
 * all that was not there before. Another thread may load libraries meanwhile: those are
 * the program's. `name` is the one that dlopen was given. By one thread at a time. */
void probe_own_libraries_note(struct own_libraries *libraries, const char *name);

/* Where they are mapped. Returns how many there are. May be called at any time. */
const struct range *probe_own_libraries_ranges(size_t *ret_count);

#endif
