/*
 * Writing to a descriptor.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>

/* Writes all `size` bytes, also if a signal or a full pipe divides them. Returns 0 or
 * -errno: then a part may have been written. */
int file_write_whole(int fd, const char *data, size_t size);

#endif
