/*
 * Calls that close descriptors. The probe's own stay open: for the program their
 * numbers are as free as any that it never opened. Programs close what they do not
 * know, all numbers from 3 on, when they become daemons.
 */
#include <errno.h>
#include <limits.h>
#include <linux/close_range.h>
#include <unistd.h>

#include "probe/calls/opens.h"
#include "probe/preload/agent.h"
#include "probe/process/descriptors.h"
#include "probe/recorder/inside.h"

OPENS(FD_ANY, dup, (int from), (from))

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
    probe_fd_gone(fd);
    return close_real()(fd);
}

/* Without the probe's own. */
static int range_close(unsigned first, unsigned last, int flags)
{
    int result = 0;
    if (first > last) {
        return close_range_real()(first, last,
                                  flags); /* the kernel says what is wrong */
    }
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

PROBE_EXPORT int close_range(unsigned first, unsigned last, int flags)
{
    /* The main thread's table is the one that is listed: the agent goes on with it. It
     * would go on with the table that is left, and keep all that is in it open. Another
     * thread leaves that table to the others, and to the agent. */
    bool moves = (flags & CLOSE_RANGE_UNSHARE) != 0 && gettid() == getpid();
    if (moves) {
        probe_agent_pause();
    }
    uint64_t before = probe_fds_closing(first, last, flags);
    int result = range_close(first, last, flags);
    probe_fds_closed(first, last, flags, before, result);
    if (moves) {
        probe_agent_resume();
    }
    return result;
}

PROBE_EXPORT void closefrom(int first)
{
    if (!probe_active || probe_descriptor_next(first < 0 ? 0 : first) < 0) {
        probe_fds_gone(first < 0 ? 0 : (unsigned)first, INT_MAX);
        closefrom_real()(first);
        return;
    }
    /* It cannot fail, and keeps errno. */
    int saved = errno;
    close_range(first < 0 ? 0 : (unsigned)first, UINT_MAX, 0);
    errno = saved;
}

/* A number of the probe's that the program wants is the program's from then on. The
 * agent makes no page meanwhile: it could be just opening a file, which would get the
 * same number. So what is noted of the number is taken away only then: a page that is
 * being made lists it as what it still is. Where the program itself has the number, the
 * agent cannot get it, and nothing waits: in a signal handler the thread that was
 * interrupted may hold what the page waits for. */
static int duplicate(int from, int to, int flags, bool has_flags, uint64_t *ret_taken)
{
    struct agent_hold hold = {.work = WORK_NOT_HELD};
    if (probe_fd_note(to).word == 0 || probe_descriptor_is_kept(to)) {
        hold = probe_agent_hold();
    }
    bool ours = hold.work != WORK_NOT_HELD && probe_descriptor_is_kept(to);
    *ret_taken = from == to ? 0 : probe_fd_take(to);
    int result = has_flags ? dup3_real()(from, to, flags) : dup2_real()(from, to);
    probe_agent_let_go(hold);
    if (ours) {
        /* When it starts again, the agent sees what it has lost, and opens that again.
         */
        probe_agent_pause();
        probe_agent_resume();
    }
    return result;
}

PROBE_EXPORT int dup2(int from, int to)
{
    uint64_t taken;
    int got = duplicate(from, to, 0, false, &taken);
    probe_fd_copied(from, to, got, taken, FRAME);
    return got;
}

PROBE_EXPORT int dup3(int from, int to, int flags)
{
    uint64_t taken;
    int got = duplicate(from, to, flags, true, &taken);
    probe_fd_copied(from, to, got, taken, FRAME);
    return got;
}
