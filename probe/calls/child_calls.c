/*
 * Calls that make a child process. What happens in the child is not noted here: one of
 * fork is a process of its own, in which the handlers of pthread_atfork forget what is
 * the parent's. Those of posix_spawn are in probe/preload/exec_calls.c and
 * plain_spawns.c, that of vfork is in vfork_call.c.
 */
#include <pty.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <unistd.h>

#include "probe/calls/real_function.h"
#include "probe/resources/child_notes.h"
#include "probe/resources/descriptor_notes.h"

#define FRAME __builtin_frame_address(0)

PROBE_REAL(fork)
PROBE_REAL(_Fork)
PROBE_REAL(clone)
PROBE_REAL_OF(forkpty, "libutil.so.1")

/* Whether this is the child of vfork. Its parent may be marked, too (clone). */
static bool is_in_vfork(void)
{
    return probe_in_vfork != 0 && probe_is_other_process();
}

/* The child of vfork may fork. The notes do not say which descriptors the child of
 * vfork has closed and opened, so its own child does without them. */
static void child_begin(bool in_vfork)
{
    if (in_vfork) {
        probe_resources_stop();
    }
}

PROBE_EXPORT pid_t fork(void)
{
    bool in_vfork = is_in_vfork();
    pid_t child = fork_real()();
    if (child == 0) {
        child_begin(in_vfork);
    }
    probe_child_made(child, FRAME);
    return child;
}

/* No handler of pthread_atfork runs: another thread may have held any lock. */
PROBE_EXPORT pid_t _Fork(void)
{
    pid_t child = _Fork_real()();
    if (child == 0) {
        probe_active = false;
        probe_resources_stop();
    }
    probe_child_made(child, FRAME);
    return child;
}

/* The child runs `function` on a stack of its own. If it shares the memory, it shares
 * what belongs to this thread, too. That waits only with CLONE_VFORK; else the mark
 * stands from then on, and the number of the process tells the two apart. With the
 * descriptors shared as well, the child's are this process's. */
PROBE_EXPORT int clone(int (*function)(void *), void *stack, int flags, void *argument,
                       ...)
{
    va_list rest;
    va_start(rest, argument);
    pid_t *parent_tid = va_arg(rest, pid_t *);
    void *own = va_arg(rest, void *);
    pid_t *child_tid = va_arg(rest, pid_t *);
    va_end(rest);
    unsigned before = probe_in_vfork;
    bool waits = (flags & CLONE_VFORK) != 0;
    bool is_own = (flags & CLONE_VM) != 0 && (flags & CLONE_THREAD) == 0 &&
                  (waits || (flags & CLONE_FILES) == 0);
    if (is_own) {
        probe_in_vfork = 1;
    }
    pid_t child =
        clone_real()(function, stack, flags, argument, parent_tid, own, child_tid);
    if (!is_own || waits || child < 0) {
        probe_in_vfork = before;
    }
    if ((flags & CLONE_THREAD) == 0) {
        probe_child_made(child, FRAME);
    }
    return child;
}

PROBE_EXPORT int forkpty(int *ret_fd, char *name, const struct termios *settings,
                         const struct winsize *size)
{
    bool in_vfork = is_in_vfork();
    pid_t child = forkpty_real()(ret_fd, name, settings, size);
    if (child == 0) {
        child_begin(in_vfork);
        probe_fds_standard(FRAME);
    } else if (child > 0) {
        probe_child_made(child, FRAME);
        probe_fd_made(*ret_fd, FD_FILE, FRAME);
    }
    return child;
}
