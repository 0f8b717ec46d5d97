/*
 * Functions that make descriptors of what has no name: pipes, events, watches.
 */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "probe/calls/opens.h"
#include "probe/process/descriptors.h"
#include "probe/recorder/unwinder.h"

OPENS(FD_EPOLL, epoll_create, (int size), (size))
OPENS(FD_EPOLL, epoll_create1, (int flags), (flags))
OPENS(FD_EVENT, eventfd, (unsigned count, int flags), (count, flags))
OPENS(FD_TIMER, timerfd_create, (clockid_t clock, int flags), (clock, flags))
OPENS(FD_INOTIFY, inotify_init, (void), ())
OPENS(FD_INOTIFY, inotify_init1, (int flags), (flags))
OPENS(FD_FANOTIFY, fanotify_init, (unsigned flags, unsigned file_flags),
      (flags, file_flags))
OPENS_PAIR(FD_PIPE, pipe, (int pair[2]), (pair))

PROBE_REAL(signalfd)
PROBE_REAL(pipe2)

/* Makes one only if it does not change one that is there. */
PROBE_EXPORT int signalfd(int fd, const sigset_t *signals, int flags)
{
    int got = signalfd_real()(fd, signals, flags);
    if (fd == -1) {
        probe_fd_made(got, FD_SIGNAL, FRAME);
    }
    return got;
}

/* The pipe that libunwind opens for itself, for which the probe calls it, is the
 * probe's: it gets numbers out of the program's way, and is protected. One that a
 * signal handler makes, which has interrupted the probe, is the program's. */
static int pair_keep(int pair[2])
{
    int second = pair[1];
    pair[0] = probe_descriptor_keep(pair[0]);
    if (pair[0] < 0) {
        close(second);
        errno = -pair[0];
        return -1;
    }
    pair[1] = probe_descriptor_keep(second);
    if (pair[1] < 0) {
        probe_descriptor_close(pair[0]);
        errno = -pair[1];
        return -1;
    }
    return 0;
}

PROBE_EXPORT int pipe2(int pair[2], int flags)
{
    int got = pipe2_real()(pair, flags);
    if (got == 0 && probe_inside != 0 &&
        probe_unwinder_has((uintptr_t)__builtin_return_address(0))) {
        return pair_keep(pair);
    }
    probe_fds_made(got, pair, FD_PIPE, FRAME);
    return got;
}

/* Newer than some C libraries. */
#if __GLIBC_PREREQ(2, 36)
#include <sys/pidfd.h>

OPENS(FD_PROCESS, pidfd_open, (pid_t process, unsigned flags), (process, flags))
OPENS(FD_ANY, pidfd_getfd, (int process, int fd, unsigned flags), (process, fd, flags))
OPENS(FD_OTHER, fsopen, (const char *name, unsigned flags), (name, flags))
OPENS(FD_OTHER, fsmount, (int fd, unsigned flags, unsigned attributes),
      (fd, flags, attributes))
OPENS(FD_OTHER, fspick, (int directory, const char *path, unsigned flags),
      (directory, path, flags))
OPENS(FD_OTHER, open_tree, (int directory, const char *path, unsigned flags),
      (directory, path, flags))
#endif
