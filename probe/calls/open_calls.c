/*
 * Functions that open files, directories, queues and terminals by a name. Those that
 * give a stream are in stream_calls.c. For the cleanup of a thread that is cancelled,
 * this folder is compiled with -fexceptions.
 */
/* With it, the headers would define some of these functions themselves. */
#undef _FORTIFY_SOURCE

#include <fcntl.h>
#include <mqueue.h>
#include <pty.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utmp.h>

#include "probe/calls/opens.h"

/* The mode behind the flags; 0 if these need none. */
#define MODE(flags)                                                                    \
    mode_t mode = 0;                                                                   \
    if (__OPEN_NEEDS_MODE(flags)) {                                                    \
        va_list rest;                                                                  \
        va_start(rest, flags);                                                         \
        mode = va_arg(rest, mode_t);                                                   \
        va_end(rest);                                                                  \
    }

/* NOLINTBEGIN(bugprone-macro-parentheses): lists of parameters are in their own */
#define OPEN_VARIADIC(function, parameters, arguments)                                 \
    PROBE_REAL(function)                                                               \
    PROBE_EXPORT int function parameters                                               \
    {                                                                                  \
        MODE(flags)                                                                    \
        int got = function##_real() arguments;                                         \
        probe_fd_made(got, FD_FILE, FRAME);                                            \
        return got;                                                                    \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

OPEN_VARIADIC(open, (const char *path, int flags, ...), (path, flags, mode))
OPEN_VARIADIC(open64, (const char *path, int flags, ...), (path, flags, mode))
OPEN_VARIADIC(openat, (int directory, const char *path, int flags, ...),
              (directory, path, flags, mode))
OPEN_VARIADIC(openat64, (int directory, const char *path, int flags, ...),
              (directory, path, flags, mode))

/* What open and its like are where the compiler checks their arguments. */
OPENS(FD_FILE, __open_2, (const char *path, int flags), (path, flags))
OPENS(FD_FILE, __open64_2, (const char *path, int flags), (path, flags))
OPENS(FD_FILE, __openat_2, (int directory, const char *path, int flags),
      (directory, path, flags))
OPENS(FD_FILE, __openat64_2, (int directory, const char *path, int flags),
      (directory, path, flags))

OPENS(FD_FILE, creat, (const char *path, mode_t mode), (path, mode))
OPENS(FD_FILE, creat64, (const char *path, mode_t mode), (path, mode))
OPENS(FD_FILE, open_by_handle_at, (int mount, struct file_handle *handle, int flags),
      (mount, handle, flags))
OPENS(FD_FILE, shm_open, (const char *name, int flags, mode_t mode),
      (name, flags, mode))
OPENS(FD_MEMORY, memfd_create, (const char *name, unsigned flags), (name, flags))

/* Files with names of their own. */
OPENS(FD_FILE, mkstemp, (char *name), (name))
OPENS(FD_FILE, mkstemp64, (char *name), (name))
OPENS(FD_FILE, mkostemp, (char *name, int flags), (name, flags))
OPENS(FD_FILE, mkostemp64, (char *name, int flags), (name, flags))
OPENS(FD_FILE, mkstemps, (char *name, int suffix), (name, suffix))
OPENS(FD_FILE, mkstemps64, (char *name, int suffix), (name, suffix))
OPENS(FD_FILE, mkostemps, (char *name, int suffix, int flags), (name, suffix, flags))
OPENS(FD_FILE, mkostemps64, (char *name, int suffix, int flags), (name, suffix, flags))

/* ---- Message queues ---- */

PROBE_REAL(mq_open)
OPENS(FD_QUEUE, __mq_open_2, (const char *name, int flags), (name, flags))

PROBE_EXPORT mqd_t mq_open(const char *name, int flags, ...)
{
    mode_t mode = 0;
    struct mq_attr *attributes = NULL;
    if ((flags & O_CREAT) != 0) {
        va_list rest;
        va_start(rest, flags);
        mode = va_arg(rest, mode_t);
        attributes = va_arg(rest, struct mq_attr *);
        va_end(rest);
    }
    mqd_t got = mq_open_real()(name, flags, mode, attributes);
    probe_fd_made(got, FD_QUEUE, FRAME);
    return got;
}

PROBE_REAL(mq_close)

PROBE_EXPORT int mq_close(mqd_t queue)
{
    probe_fd_gone(queue);
    return mq_close_real()(queue);
}

/* ---- Terminals ---- */

OPENS(FD_FILE, posix_openpt, (int flags), (flags))
OPENS(FD_FILE, getpt, (void), ())

PROBE_REAL(openpty)
PROBE_REAL(login_tty)
PROBE_REAL(daemon)

PROBE_EXPORT int openpty(int *master, int *slave, char *name,
                         const struct termios *terminal, const struct winsize *size)
{
    int result = openpty_real()(master, slave, name, terminal, size);
    probe_fd_made(result < 0 ? -1 : *master, FD_FILE, FRAME);
    probe_fd_made(result < 0 ? -1 : *slave, FD_FILE, FRAME);
    return result;
}

PROBE_EXPORT int login_tty(int fd)
{
    int result = login_tty_real()(fd);
    if (result == 0) {
        if (fd > STDERR_FILENO) {
            probe_fd_gone(fd);
        }
        probe_fds_standard(FRAME);
    }
    return result;
}

/* /dev/null takes the place of the standard streams. */
PROBE_EXPORT int daemon(int keep_directory, int keep_streams)
{
    int result = daemon_real()(keep_directory, keep_streams);
    if (result == 0 && keep_streams == 0) {
        probe_fds_standard(FRAME);
    }
    return result;
}
