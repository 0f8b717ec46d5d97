/*
 * Calls that count the links of a directory. In /proc/self/task each thread is one, and
 * programs look there whether they have one thread only, before they give up rights or
 * fork: Chromium's, for example, end themselves if not. They mean their own threads, so
 * the probe's is left out.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "probe/calls/real_function.h"
#include "probe/preload/agent.h"

PROBE_REAL(stat)
PROBE_REAL(lstat)
PROBE_REAL(fstatat)
PROBE_REAL(stat64)
PROBE_REAL(lstat64)
PROBE_REAL(fstatat64)

/* Whether the path is that of this process's threads: "/proc/self/task/", or relative
 * to a directory. Without a path the call is about an open descriptor. */
static bool is_of_threads(const char *path)
{
    static const char end[] = "self/task";
    size_t length = path == NULL ? 0 : strlen(path);
    while (length > 0 && path[length - 1] == '/') {
        length--;
    }
    if (length < sizeof(end) - 1) {
        return false;
    }
    const char *start = path + length - (sizeof(end) - 1);
    return strncmp(start, end, sizeof(end) - 1) == 0 &&
           (start == path || start[-1] == '/');
}

/* Whether the device is that of /proc: any directory may have such a name. */
static bool is_of_proc(dev_t device)
{
    struct stat proc;
    int saved = errno;
    bool is = stat_real()("/proc/self/task", &proc) == 0 && proc.st_dev == device;
    errno = saved;
    return is;
}

/* The links that the program's own threads are; a directory has two of its own. */
static nlink_t own_links(const char *path, nlink_t links, dev_t device)
{
    bool counted = links > 3 && is_of_threads(path) && probe_agent_has_thread() &&
                   is_of_proc(device);
    return counted ? links - 1 : links;
}

/* `path` and `status` are among the parameters. */
/* NOLINTBEGIN(bugprone-macro-parentheses): the arguments are lists */
#define COUNTED(name, parameters, arguments)                                           \
    PROBE_EXPORT int name parameters                                                   \
    {                                                                                  \
        int result = name##_real() arguments;                                          \
        if (result == 0) {                                                             \
            status->st_nlink = own_links(path, status->st_nlink, status->st_dev);      \
        }                                                                              \
        return result;                                                                 \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

COUNTED(stat, (const char *path, struct stat *status), (path, status))
COUNTED(lstat, (const char *path, struct stat *status), (path, status))
COUNTED(fstatat, (int directory, const char *path, struct stat *status, int flags),
        (directory, path, status, flags))
COUNTED(stat64, (const char *path, struct stat64 *status), (path, status))
COUNTED(lstat64, (const char *path, struct stat64 *status), (path, status))
COUNTED(fstatat64, (int directory, const char *path, struct stat64 *status, int flags),
        (directory, path, status, flags))
