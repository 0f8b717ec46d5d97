/*
 * Numbers that an older kernel's headers do not name are left out: nobody calls them
 * there. Commands of bpf, ioctl and the like that return descriptors are many and rare:
 * such a descriptor stands as made unseen.
 */
#include "probe/calls/number_notes.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "probe/resources/descriptor_notes.h"
#include "probe/resources/mapping_notes.h"

/* Those that return one descriptor. */
static const struct opener {
    long number;
    enum descriptor_kind kind;
} openers[] = {
#ifdef SYS_open
    {SYS_open, FD_FILE},
    {SYS_creat, FD_FILE},
    {SYS_epoll_create, FD_EPOLL},
    {SYS_eventfd, FD_EVENT},
    {SYS_inotify_init, FD_INOTIFY},
#endif
    {SYS_openat, FD_FILE},
#ifdef SYS_openat2
    {SYS_openat2, FD_FILE},
#endif
    {SYS_open_by_handle_at, FD_FILE},
    {SYS_dup, FD_ANY},
    {SYS_socket, FD_SOCKET},
    {SYS_accept, FD_SOCKET},
    {SYS_accept4, FD_SOCKET},
    {SYS_epoll_create1, FD_EPOLL},
    {SYS_eventfd2, FD_EVENT},
    {SYS_timerfd_create, FD_TIMER},
    {SYS_inotify_init1, FD_INOTIFY},
    {SYS_fanotify_init, FD_FANOTIFY},
    {SYS_memfd_create, FD_MEMORY},
#ifdef SYS_memfd_secret
    {SYS_memfd_secret, FD_MEMORY},
#endif
    {SYS_mq_open, FD_QUEUE},
    {SYS_perf_event_open, FD_OTHER},
#ifdef SYS_userfaultfd
    {SYS_userfaultfd, FD_OTHER},
#endif
#ifdef SYS_io_uring_setup
    {SYS_io_uring_setup, FD_OTHER},
#endif
#ifdef SYS_pidfd_open
    {SYS_pidfd_open, FD_PROCESS},
#endif
#ifdef SYS_pidfd_getfd
    {SYS_pidfd_getfd, FD_ANY},
#endif
#ifdef SYS_fsopen
    {SYS_fsopen, FD_OTHER},
    {SYS_fsmount, FD_OTHER},
    {SYS_fspick, FD_OTHER},
    {SYS_open_tree, FD_OTHER},
#endif
#ifdef SYS_landlock_create_ruleset
    {SYS_landlock_create_ruleset, FD_OTHER},
#endif
};

static bool copies_onto(long number)
{
#ifdef SYS_dup2
    if (number == SYS_dup2) {
        return true;
    }
#endif
    return number == SYS_dup3;
}

static bool makes_pair(long number)
{
#ifdef SYS_pipe
    if (number == SYS_pipe) {
        return true;
    }
#endif
    return number == SYS_pipe2 || number == SYS_socketpair;
}

static bool makes_signals(long number)
{
#ifdef SYS_signalfd
    if (number == SYS_signalfd) {
        return true;
    }
#endif
    return number == SYS_signalfd4;
}

/* What is mapped in this way stands as made unseen, and so does what stays where it is
 * because the call fails: what was noted of the addresses goes, as they may be
 * another's at once. */
static void mapping_begins(long number, const long arguments[6])
{
    const void *memory = (const void *)arguments[0];
    size_t bytes = (size_t)arguments[1];
    if (number == SYS_munmap || number == SYS_mremap) {
        probe_mapping_gone(memory, bytes);
    }
    if (number == SYS_mremap && (arguments[3] & MREMAP_FIXED) != 0) {
        probe_mapping_gone((const void *)arguments[4], (size_t)arguments[2]);
    }
#ifdef SYS_mmap
    if (number == SYS_mmap && (arguments[3] & MAP_FIXED) != 0) {
        probe_mapping_gone(memory, bytes);
    }
#endif
}

uint64_t probe_number_begins(long number, const long arguments[6])
{
    if (number == SYS_close) {
        probe_fd_gone((int)arguments[0]);
#ifdef SYS_close_range
    } else if (number == SYS_close_range) {
        return probe_fds_closing((unsigned)arguments[0], (unsigned)arguments[1],
                                 (int)arguments[2]);
#endif
    } else if (copies_onto(number) && arguments[0] != arguments[1]) {
        return probe_fd_take((int)arguments[1]);
    } else {
        mapping_begins(number, arguments);
    }
    return 0;
}

static void pair_made(long number, const long arguments[6], long result,
                      const void *frame)
{
    bool sockets = number == SYS_socketpair;
    const int *pair = (const int *)arguments[sockets ? 3 : 0];
    probe_fds_made((int)result, pair, sockets ? FD_SOCKET : FD_PIPE, frame);
}

void probe_number_ended(long number, const long arguments[6], long result,
                        uint64_t taken, const void *frame)
{
    if (copies_onto(number)) {
        probe_fd_copied((int)arguments[0], (int)arguments[1], (int)result, taken,
                        frame);
        return;
    }
#ifdef SYS_close_range
    if (number == SYS_close_range) {
        probe_fds_closed((unsigned)arguments[0], (unsigned)arguments[1],
                         (int)arguments[2], taken, (int)result);
        return;
    }
#endif
    if (number == SYS_fcntl &&
        (arguments[1] == F_DUPFD || arguments[1] == F_DUPFD_CLOEXEC)) {
        probe_fd_made((int)result, FD_ANY, frame);
    } else if (makes_pair(number)) {
        pair_made(number, arguments, result, frame);
    } else if (makes_signals(number) && (int)arguments[0] == -1) {
        probe_fd_made((int)result, FD_SIGNAL, frame);
    } else if (number == SYS_recvmsg) {
        probe_fds_received(result, (const struct msghdr *)arguments[1], frame);
    } else if (number == SYS_recvmmsg) {
        probe_fds_received_all((int)result, (const struct mmsghdr *)arguments[1],
                               frame);
    }
    for (size_t i = 0; i < sizeof(openers) / sizeof(openers[0]); i++) {
        if (openers[i].number == number) {
            probe_fd_made((int)result, openers[i].kind, frame);
            return;
        }
    }
}
