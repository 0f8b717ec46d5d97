/*
 * The heap profile of now as a file of the user's, for a program that ends.
 */
#ifndef PROBE_HEAP_HEAP_FILE_H
#define PROBE_HEAP_HEAP_FILE_H

#include "probe/heap/heap_snapshot.h"

/* Writes what is in use now as profile.proto, with names in it, to the file `path`, and
 * its sums to ret_sums (estimates, if the recorder takes samples). `note` is a comment
 * in the recorder's profile; NULL: none. The file appears
 * whole or not at all: it is written under the name PATH.PID.tmp, and then renamed. A
 * regular file of that name is replaced; anything else that is there stays. What this
 * call allocates is not recorded, and no signal comes of it, whatever the limits.
 * Returns 0; an error of probe_heap_snapshot; -EEXIST if `path` is there and no regular
 * file; -ENAMETOOLONG; or -errno from writing. After an error no new file is left. */
int probe_heap_write_file(const char *path, const char *note,
                          struct heap_sums *ret_sums);

/* Writes a profile that is made already, in the same way. */
int probe_heap_write_made(const char *path, const struct buffer *profile);

#endif
