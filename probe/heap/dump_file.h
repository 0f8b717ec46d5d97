/*
 * The numbered files that heap dumps are written to. Each dump makes a new file and
 * never overwrites one, even when other processes write to the same directory.
 */
#ifndef PROBE_HEAP_DUMP_FILE_H
#define PROBE_HEAP_DUMP_FILE_H

#include <stddef.h>

/* Writes `size` bytes of `text` to <directory>/<name>.NNNN.heap, and the file's path to
 * ret_path. NNNN is the number after the highest that the directory has for that name,
 * so the newest dump has the highest number, even when older ones have been deleted;
 * the first is 0001. If another process takes that number meanwhile, the next one is
 * tried. Returns 0, or -errno with no file left behind. */
int probe_dump_file_write(const char *directory, const char *name, const char *text,
                          size_t size, char *ret_path, size_t path_size);

#endif
