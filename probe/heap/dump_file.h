/*
 * The numbered files of heap dumps. Each dump creates a new file. No file is
 * overwritten, even when several processes write to the same directory.
 */
#ifndef PROBE_HEAP_DUMP_FILE_H
#define PROBE_HEAP_DUMP_FILE_H

#include <stddef.h>

/* Writes `size` bytes of `text` to <directory>/<name>.NNNN.heap, and the file's path to
 * ret_path. NNNN is one more than the highest number of that name in the directory, so
 * the newest dump always has the highest number; the first is 0001. If another process
 * takes the number first, the next one is tried. Returns 0, or -errno with no file
 * left. */
int probe_dump_file_write(const char *directory, const char *name, const char *text,
                          size_t size, char *ret_path, size_t path_size);

#endif
