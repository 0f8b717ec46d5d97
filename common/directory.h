/*
 * The two directories that a server writes to: the one for heap dumps, which the user
 * names and keeps, and one for the files of scenarios, which ends with the server.
 */
#ifndef LAB_DIRECTORY_H
#define LAB_DIRECTORY_H

#include <stddef.h>

/* Makes the directory if it is missing, and makes a file in it and removes it, to see
 * that this is possible. Returns 0 or -errno. */
int directory_prepare(const char *path);

/* Makes a new directory, for this process alone, in $TMPDIR (or in /tmp, if that is no
 * absolute path), and writes its path. Returns 0 or -errno; ENAMETOOLONG if `size` is
 * too small. */
int directory_make(char *path, size_t size);

/* Removes a directory and the files in it. It holds no directories. */
void directory_remove(const char *path);

#endif
