/*
 * In the servers: functions that close and copy descriptors, and the like. The library
 * for other programs protects its own descriptors beside that (probe/preload/).
 */
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <unistd.h>

#include "probe/calls/number_notes.h"
#include "probe/calls/opens.h"

PROBE_REAL(close)
PROBE_REAL(close_range)
PROBE_REAL(closefrom)
PROBE_REAL(dup2)
PROBE_REAL(dup3)
PROBE_REAL(fcntl)
PROBE_REAL(fcntl64)
PROBE_REAL(syscall)

PROBE_EXPORT int close(int fd)
{
    probe_fd_gone(fd);
    return close_real()(fd);
}

PROBE_EXPORT int close_range(unsigned first, unsigned last, int flags)
{
    uint64_t before = probe_fds_closing(first, last, flags);
    int result = close_range_real()(first, last, flags);
    probe_fds_closed(first, last, flags, before, result);
    return result;
}

PROBE_EXPORT void closefrom(int first)
{
    probe_fds_gone(first < 0 ? 0 : (unsigned)first, INT_MAX);
    closefrom_real()(first);
}

OPENS(FD_ANY, dup, (int from), (from))

PROBE_EXPORT int dup2(int from, int to)
{
    uint64_t taken = from == to ? 0 : probe_fd_take(to);
    int got = dup2_real()(from, to);
    probe_fd_copied(from, to, got, taken, FRAME);
    return got;
}

PROBE_EXPORT int dup3(int from, int to, int flags)
{
    uint64_t taken = from == to ? 0 : probe_fd_take(to);
    int got = dup3_real()(from, to, flags);
    probe_fd_copied(from, to, got, taken, FRAME);
    return got;
}

/* Each command takes one argument at most, which fits into a pointer. */
#define COPIES(function)                                                               \
    PROBE_EXPORT int function(int fd, int command, ...)                                \
    {                                                                                  \
        va_list rest;                                                                  \
        va_start(rest, command);                                                       \
        void *argument = va_arg(rest, void *);                                         \
        va_end(rest);                                                                  \
        int got = function##_real()(fd, command, argument);                            \
        if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) {                        \
            probe_fd_made(got, FD_ANY, FRAME);                                         \
        }                                                                              \
        return got;                                                                    \
    }

COPIES(fcntl)
COPIES(fcntl64)

PROBE_EXPORT long syscall(long number, ...)
{
    long a[6];
    va_list rest;
    va_start(rest, number);
    for (int i = 0; i < 6; i++) {
        a[i] = va_arg(rest, long);
    }
    va_end(rest);
    uint64_t taken = probe_number_begins(number, a);
    long result = syscall_real()(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    probe_number_ended(number, a, result, taken, FRAME);
    return result;
}
