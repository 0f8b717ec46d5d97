/*
 * Calls that close descriptors. The probe's own stay open: for the program their
 * numbers are as free as any that it never opened. Programs close what they do not
 * know, all numbers from 3 on, when they become daemons.
 */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "probe/preload/agent.h"
#include "probe/preload/real_function.h"
#include "probe/process/descriptors.h"
#include "probe/recorder/inside.h"

PROBE_REAL(close)
PROBE_REAL(close_range)
PROBE_REAL(closefrom)
PROBE_REAL(dup2)
PROBE_REAL(dup3)

/* Whether the program is about to close one of the probe's descriptors. The child of
 * vfork has descriptors of its own: it may do with them what it likes. */
static bool is_ours(int fd)
{
    return probe_active && probe_inside == 0 && probe_descriptor_is_kept(fd) &&
           probe_agent_is_own_process();
}

PROBE_EXPORT int close(int fd)
{
    if (is_ours(fd)) {
        errno = EBADF;
        return -1;
    }
    return close_real()(fd);
}

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

/* The numbers are high: a program that wants one of them for itself is very unusual,
 * but it gets it. The agent is stopped meanwhile, so it does not take the program's
 * file for its own; afterwards it opens again what it has lost. */
PROBE_EXPORT int dup2(int from, int to)
{
    bool ours = from != to && is_ours(to);
    if (!ours) {
        return dup2_real()(from, to);
    }
    probe_agent_pause();
    int result = dup2_real()(from, to);
    probe_agent_resume();
    return result;
}

PROBE_EXPORT int dup3(int from, int to, int flags)
{
    bool ours = from != to && is_ours(to);
    if (!ours) {
        return dup3_real()(from, to, flags);
    }
    probe_agent_pause();
    int result = dup3_real()(from, to, flags);
    probe_agent_resume();
    return result;
}
