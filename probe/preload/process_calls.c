/*
 * Calls that a second thread would break: the kernel does not unshare a process of
 * several threads, and the C library ends a program whose threads cannot all change
 * their user. So the probe's thread is stopped around them, and has the new credentials
 * and namespaces when it starts again.
 */
#include "probe/preload/process_calls.h"

#include <errno.h>
#include <grp.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe/calls/real_function.h"
#include "probe/preload/agent.h"
#include "probe/resources/descriptor_tables.h"

/* glibc has it, but no header of it declares it. */
int capset(void *header, const void *data);
/* libseccomp's. */
int seccomp_load(void *filter);

/* NOLINTBEGIN(bugprone-macro-parentheses): lists of arguments are in their own */
#define STOPPED_AROUND(name, parameters, arguments)                                    \
    PROBE_REAL(name)                                                                   \
    PROBE_EXPORT int name parameters                                                   \
    {                                                                                  \
        probe_agent_pause();                                                           \
        int result = name##_real() arguments;                                          \
        probe_agent_resume();                                                          \
        return result;                                                                 \
    }

/* NOLINTEND(bugprone-macro-parentheses) */

STOPPED_AROUND(setuid, (uid_t user), (user))
STOPPED_AROUND(seteuid, (uid_t user), (user))
STOPPED_AROUND(setreuid, (uid_t real, uid_t effective), (real, effective))
STOPPED_AROUND(setresuid, (uid_t real, uid_t effective, uid_t saved),
               (real, effective, saved))
STOPPED_AROUND(setgid, (gid_t group), (group))
STOPPED_AROUND(setegid, (gid_t group), (group))
STOPPED_AROUND(setregid, (gid_t real, gid_t effective), (real, effective))
STOPPED_AROUND(setresgid, (gid_t real, gid_t effective, gid_t saved),
               (real, effective, saved))
STOPPED_AROUND(setgroups, (size_t count, const gid_t *groups), (count, groups))
STOPPED_AROUND(initgroups, (const char *user, gid_t group), (user, group))
STOPPED_AROUND(setfsuid, (uid_t user), (user))
STOPPED_AROUND(setfsgid, (gid_t group), (group))
STOPPED_AROUND(capset, (void *header, const void *data), (header, data))
STOPPED_AROUND(setns, (int fd, int type), (fd, type))

PROBE_REAL(unshare)

/* What a thread leaves, it leaves to the others: with them the agent stays. Only the
 * main thread's is shown for the process, and the agent goes with that one. Where the
 * kernel wants a process of one thread, another thread than that is refused anyway. */
PROBE_EXPORT int unshare(int flags)
{
    bool moves = gettid() == getpid();
    if (moves) {
        probe_agent_pause();
    }
    unsigned before = (flags & CLONE_FILES) != 0 ? probe_fd_table_leave() : 0;
    int result = unshare_real()(flags);
    if (result != 0 && (flags & CLONE_FILES) != 0) {
        probe_fd_table_stay(before);
    }
    if (moves) {
        probe_agent_resume();
    }
    return result;
}

/* A filter for system calls (seccomp) is meant for the whole process. A thread that
 * started before it is not bound by it, and one that starts later may end the program
 * with a call that the filter forbids. So the probe's thread does not go on. */
PROBE_REAL_OF(seccomp_load, "libseccomp.so.2")
PROBE_EXPORT int seccomp_load(void *filter)
{
    probe_agent_stand_aside("it filters its system calls");
    return seccomp_load_real()(filter);
}

PROBE_REAL(prctl)

/* Whether the call filters system calls. Without a filter it only asks whether the
 * kernel can. */
static bool is_filter(int option, const unsigned long values[4])
{
    return option == PR_SET_SECCOMP &&
           (values[0] == SECCOMP_MODE_STRICT || values[1] != 0);
}

/* The same of seccomp(2). */
static bool is_seccomp_filter(const long arguments[6])
{
    return (arguments[0] == SECCOMP_SET_MODE_STRICT && arguments[1] == 0) ||
           (arguments[0] == SECCOMP_SET_MODE_FILTER && arguments[2] != 0);
}

void probe_process_number_begins(long number, const long arguments[6])
{
    const unsigned long *values = (const unsigned long *)&arguments[1];
    if ((number == SYS_seccomp && is_seccomp_filter(arguments)) ||
        (number == SYS_prctl && is_filter((int)arguments[0], values))) {
        probe_agent_stand_aside("it filters its system calls");
    }
}

/* Every option of prctl takes at most four arguments, and reads none that it does not
 * know. */
PROBE_EXPORT int prctl(int option, ...)
{
    unsigned long values[4];
    va_list arguments;
    va_start(arguments, option);
    for (int i = 0; i < 4; i++) {
        values[i] = va_arg(arguments, unsigned long);
    }
    va_end(arguments);
    if (is_filter(option, values)) {
        probe_agent_stand_aside("it filters its system calls");
    }
    /* What belongs to a thread and is inherited by those that it starts. */
    bool of_thread = option == PR_CAPBSET_DROP || option == PR_SET_SECUREBITS ||
                     option == PR_CAP_AMBIENT || option == PR_SET_NO_NEW_PRIVS ||
                     option == PR_SET_KEEPCAPS;
    if (of_thread) {
        probe_agent_pause();
    }
    int result = prctl_real()(option, values[0], values[1], values[2], values[3]);
    if (of_thread) {
        probe_agent_resume();
    }
    return result;
}

PROBE_REAL(chroot)

/* After it the files of symbols and libraries are out of reach. */
PROBE_EXPORT int chroot(const char *path)
{
    probe_agent_before_chroot();
    return chroot_real()(path);
}
