/*
 * The mappings of code in this process, from /proc/self/maps (proc(5)). With them a
 * profile says which file an address belongs to.
 */
#ifndef PROBE_STACKS_MAPS_H
#define PROBE_STACKS_MAPS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"

/* A part of a file that is mapped as code. */
struct mapping {
    uintptr_t start; /* first address */
    uintptr_t end;   /* first address after it */
    uint64_t offset; /* of `start` in the file, in bytes */
    const char *path;
};

/* Lives in memory that the caller owns; { 0 } is empty. */
struct maps {
    struct buffer text;    /* the file as it was read */
    struct buffer paths;   /* the text of the mappings' paths */
    struct buffer entries; /* struct mapping, by address */
    size_t count;
};

/* Reads the mappings of code that have a name: files and the kernel's [vdso]. Replaces
 * what `maps` held before. Returns 0 or -errno. */
int probe_maps_read(struct maps *maps);

/* Reads the whole file into memory that is there already, because a buffer that grows
 * would change what is read. Adds a '\0'. Returns its length; -E2BIG if it does not
 * fit; or -errno. */
ssize_t probe_maps_read_text(char *text, size_t size);

/* The mappings, `maps->count` of them. */
const struct mapping *probe_maps_entries(const struct maps *maps);

void probe_maps_release(struct maps *maps);

/* In a forked child: forgets the open file, which shows the parent's mappings. */
void probe_maps_fork_child(void);

#endif
