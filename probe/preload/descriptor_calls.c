/*
 * Calls that close descriptors. The probe's own stay open: for the program their
 * numbers are as free as any that it never opened. Programs close what they do not
 * know, all numbers from 3 on, when they become daemons.
 */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "probe/preload/real_function.h"
#include "probe/process/descriptors.h"
#include "probe/recorder/inside.h"

/* Whether the program is about to close one of the probe's descriptors. */
static bool is_ours(int fd)
{
    return probe_active && probe_inside == 0 && probe_descriptor_is_kept(fd);
}

PROBE_REAL(close)
PROBE_EXPORT int close(int fd)
{
    if (is_ours(fd)) {
        errno = EBADF;
        return -1;
    }
    return close_real()(fd);
}

PROBE_REAL(close_range)
PROBE_EXPORT int close_range(unsigned first, unsigned last, int flags)
{
    int result = 0;
    while (probe_active && result == 0 && first <= last && first <= INT_MAX) {
        int ours = probe_descriptor_next((int)first);
        if (ours < 0 || (unsigned)ours > last) {
            break;
        }
        if ((unsigned)ours > first) {
            result = close_range_real()(first, (unsigned)ours - 1, flags);
        }
        first = (unsigned)ours + 1;
    }
    if (result != 0 || first > last) {
        return result;
    }
    return close_range_real()(first, last, flags);
}

PROBE_REAL(closefrom)
PROBE_EXPORT void closefrom(int first)
{
    if (!probe_active || probe_descriptor_next(first < 0 ? 0 : first) < 0) {
        closefrom_real()(first);
        return;
    }
    /* It cannot fail, and keeps errno. */
    int saved = errno;
    close_range(first < 0 ? 0 : (unsigned)first, UINT_MAX, 0);
    errno = saved;
}

/* The numbers are high: a program that wants one of them for itself is very unusual.
 * It gets the error that the kernel has for a number that is just being taken. */
PROBE_REAL(dup2)
PROBE_EXPORT int dup2(int from, int to)
{
    if (is_ours(to)) {
        errno = EBUSY;
        return -1;
    }
    return dup2_real()(from, to);
}

PROBE_REAL(dup3)
PROBE_EXPORT int dup3(int from, int to, int flags)
{
    if (is_ours(to)) {
        errno = EBUSY;
        return -1;
    }
    return dup3_real()(from, to, flags);
}
