/*
 * The two directories that a server writes to. The user names the one for heap dumps,
 * and it stays. The one for the files of scenarios is removed when the server ends.
 */
#ifndef LAB_DIRECTORY_H
#define LAB_DIRECTORY_H

#include <stddef.h>

/* Creates the directory if it is missing. Then creates and removes a file in it, to
 * check that this is possible. Returns 0 or -errno. */
int directory_prepare(const char *path);

/* Creates a new directory for this process in $TMPDIR (or in /tmp, if $TMPDIR is not an
 * absolute path). Writes its path to `path`, which has `size` bytes. Returns 0 or
 * -errno; -ENAMETOOLONG if `size` is too small. */
int directory_make(char *path, size_t size);

/* Removes a directory and the files in it. It must not contain directories. */
void directory_remove(const char *path);

#endif
