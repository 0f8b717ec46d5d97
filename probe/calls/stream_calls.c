/*
 * Functions that open and close streams, directories and the pipes of commands. What
 * closes a stream writes what is left in it before, which may take its time.
 */
#undef _FORTIFY_SOURCE

#include <dirent.h>
#include <errno.h>
#include <mntent.h>
#include <stdio.h>

#include "probe/calls/opens.h"
#include "probe/resources/child_notes.h"

/* The headers promise the compiler that nobody passes NULL. Some programs do, and the C
 * library takes it. */
#define MAYBE_NULL(pointer) __asm__("" : "+r"(pointer))

/* The descriptor of a stream; -1: it has none, or is NULL. */
static int number_of(FILE *stream)
{
    int saved = errno;
    MAYBE_NULL(stream);
    int fd = stream == NULL ? -1 : fileno(stream);
    errno = saved;
    return fd;
}

/* NOLINTBEGIN(bugprone-macro-parentheses): lists of parameters are in their own */
#define OPENS_STREAM(kind, function, parameters, arguments)                            \
    PROBE_REAL(function)                                                               \
    PROBE_EXPORT FILE *function parameters                                             \
    {                                                                                  \
        FILE *got = function##_real() arguments;                                       \
        probe_fd_made(number_of(got), kind, FRAME);                                    \
        return got;                                                                    \
    }

#define CLOSES_STREAM(function)                                                        \
    PROBE_REAL(function)                                                               \
    PROBE_EXPORT int function(FILE *stream)                                            \
    {                                                                                  \
        int fd = number_of(stream);                                                    \
        probe_fd_closing(fd);                                                          \
        int result = function##_real()(stream);                                        \
        probe_fd_closed(fd);                                                           \
        return result;                                                                 \
    }

#define REOPENS_STREAM(function)                                                       \
    PROBE_REAL(function)                                                               \
    PROBE_EXPORT FILE *function(const char *path, const char *mode, FILE *stream)      \
    {                                                                                  \
        int fd = number_of(stream);                                                    \
        probe_fd_closing(fd);                                                          \
        FILE *got = function##_real()(path, mode, stream);                             \
        probe_fd_closed(fd);                                                           \
        probe_fd_made(number_of(got), FD_FILE, FRAME);                                 \
        return got;                                                                    \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

OPENS_STREAM(FD_FILE, fopen, (const char *path, const char *mode), (path, mode))
OPENS_STREAM(FD_FILE, fopen64, (const char *path, const char *mode), (path, mode))
OPENS_STREAM(FD_FILE, tmpfile, (void), ())
OPENS_STREAM(FD_FILE, tmpfile64, (void), ())
OPENS_STREAM(FD_FILE, setmntent, (const char *path, const char *mode), (path, mode))
REOPENS_STREAM(freopen)
REOPENS_STREAM(freopen64)
CLOSES_STREAM(fclose)
CLOSES_STREAM(endmntent)

/* ---- Commands ---- */

PROBE_REAL(popen)
PROBE_REAL(pclose)

PROBE_EXPORT FILE *popen(const char *command, const char *mode)
{
    FILE *got = popen_real()(command, mode);
    probe_fd_made(number_of(got), FD_PIPE, FRAME);
    probe_child_made(probe_child_behind(got), FRAME);
    return got;
}

PROBE_EXPORT int pclose(FILE *stream)
{
    int fd = number_of(stream);
    pid_t child = probe_child_behind(stream);
    probe_fd_closing(fd);
    int result = pclose_real()(stream);
    probe_fd_closed(fd);
    probe_child_gone(child);
    return result;
}

/* ---- Directories ---- */

PROBE_REAL(opendir)
PROBE_REAL(closedir)

PROBE_EXPORT DIR *opendir(const char *path)
{
    DIR *got = opendir_real()(path);
    probe_fd_made(got == NULL ? -1 : dirfd(got), FD_FILE, FRAME);
    return got;
}

PROBE_EXPORT int closedir(DIR *directory)
{
    DIR *given = directory;
    MAYBE_NULL(given);
    if (given != NULL) {
        probe_fd_gone(dirfd(given));
    }
    return closedir_real()(given);
}
