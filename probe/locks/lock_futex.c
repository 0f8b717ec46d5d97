#include "probe/locks/lock_futex.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "probe/threads/thread_details.h"

/* "running"; "202 0x7f.. 0x80 ..." with the call's number and its arguments; or "-1
 * ...", outside of a call. */
enum lock_seen probe_lock_seen_in(const char *text, struct range lock)
{
    char *rest;
    long call = strtol(text, &rest, 10);
    if (rest == text || call < 0) {
        return LOCK_SEEN_RUNNING;
    }
    /* A wait with a time limit that the kernel itself goes on with, after the process
     * was stopped, has another number, and its arguments are still in the registers. */
    bool waits = call == SYS_futex || call == SYS_restart_syscall;
    uintptr_t word = waits ? strtoull(rest, NULL, 16) : 0;
    return range_has(lock, word) ? LOCK_SEEN_THERE : LOCK_SEEN_ELSE;
}

enum lock_seen probe_lock_seen(int task_fd, pid_t tid, struct range lock)
{
    char text[256];
    ssize_t got = task_fd < 0 ? task_fd
                              : probe_thread_file_read(task_fd, tid, "syscall", text,
                                                       sizeof(text));
    if (got >= 0) {
        return probe_lock_seen_in(text, lock);
    }
    bool gone = got == -ESRCH || (got == -ENOENT && probe_thread_ended(task_fd, tid));
    return gone ? LOCK_SEEN_GONE : LOCK_SEEN_UNKNOWN;
}
