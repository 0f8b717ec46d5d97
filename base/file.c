/*
 * A write may take less than it is given.
 */
#include "base/file.h"

#include <errno.h>
#include <unistd.h>

int file_write_whole(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, data, size);
        if (written >= 0) {
            data += written;
            size -= (size_t)written;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}
