/*
 * In the servers: functions that close and copy descriptors, and the like. The library
 * for other programs protects its own descriptors beside that (probe/preload/).
 */
#include <unistd.h>

#include "probe/calls/real_function.h"
#include "probe/resources/descriptor_notes.h"

PROBE_REAL(close)

PROBE_EXPORT int close(int fd)
{
    probe_fd_gone(fd);
    return close_real()(fd);
}
