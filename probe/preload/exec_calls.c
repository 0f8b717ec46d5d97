/*
 * Calls that execute another program. One that cannot have the probe's library gets an
 * environment without it: see next_program.h. All run in children of vfork too, and
 * allocate nothing.
 */
#include <alloca.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#if __GLIBC_PREREQ(2, 39)
#include <sys/pidfd.h>
#endif
#include <unistd.h>

#include "probe/calls/real_function.h"
#include "probe/preload/agent.h"
#include "probe/preload/next_program.h"
#include "probe/recorder/visit.h"
#include "probe/resources/child_notes.h"
#include "probe/resources/descriptor_notes.h"

PROBE_REAL(execve)
PROBE_REAL(execvpe)
PROBE_REAL(execveat)
PROBE_REAL(posix_spawn)
PROBE_REAL(posix_spawnp)

/* A signal on its way to this thread, for a thread profile, would end the next program,
 * which has no handler for it: so no profile may be under way. */
#define BEFORE_EXEC(call)                                                              \
    do {                                                                               \
        probe_agent_pause();                                                           \
        int result = call;                                                             \
        probe_agent_resume();                                                          \
        return result;                                                                 \
    } while (0)

/* Declares `names`, the environment without the library. Both take as much of the stack
 * as they need, and only where they are needed: it may have a few KiB. */
#define WITHOUT_LIBRARY(environment)                                                   \
    char *text = alloca(probe_next_preload_size(environment));                         \
    char **names = alloca(probe_next_count(environment) * sizeof(*names));             \
    probe_next_environment(environment, names, text)

PROBE_EXPORT int execve(const char *path, char *const arguments[],
                        char *const environment[])
{
    if (!probe_next_refuses(path)) {
        BEFORE_EXEC(execve_real()(path, arguments, environment));
    }
    WITHOUT_LIBRARY(environment);
    BEFORE_EXEC(execve_real()(path, arguments, names));
}

PROBE_EXPORT int execvpe(const char *file, char *const arguments[],
                         char *const environment[])
{
    if (!probe_next_refuses_command(file)) {
        BEFORE_EXEC(execvpe_real()(file, arguments, environment));
    }
    WITHOUT_LIBRARY(environment);
    BEFORE_EXEC(execvpe_real()(file, arguments, names));
}

PROBE_EXPORT int execv(const char *path, char *const arguments[])
{
    return execve(path, arguments, environ);
}

PROBE_EXPORT int execvp(const char *file, char *const arguments[])
{
    return execvpe(file, arguments, environ);
}

#define FD_PATH "/proc/self/fd/"
#define FD_PATH_MAX (sizeof(FD_PATH) + 11) /* with a number and another slash */

/* Writes the path by which a file is found that is opened, or is in an open directory,
 * as long as /proc is there: at most FD_PATH_MAX bytes and the path. printf needs more
 * of the stack than there may be. */
static void path_of(int directory, const char *path, char *ret_path)
{
    char digits[12];
    size_t at = sizeof(digits);
    size_t size = sizeof(FD_PATH) - 1;
    memcpy(ret_path, FD_PATH, size);
    do {
        digits[--at] = (char)('0' + directory % 10);
        directory /= 10;
    } while (directory > 0);
    memcpy(ret_path + size, digits + at, sizeof(digits) - at);
    size += sizeof(digits) - at;
    if (*path != '\0') {
        ret_path[size++] = '/';
    }
    memcpy(ret_path + size, path, strlen(path) + 1);
}

/* The program in an open directory, or opened itself. */
static bool refuses_at(int directory, const char *path)
{
    if (path == NULL || *path == '/' || directory < 0) {
        return probe_next_refuses(path);
    }
    if (strlen(path) >= PATH_MAX) {
        return false;
    }
    char *place = alloca(FD_PATH_MAX + strlen(path));
    path_of(directory, path, place);
    return probe_next_refuses(place);
}

PROBE_EXPORT int execveat(int directory, const char *path, char *const arguments[],
                          char *const environment[], int flags)
{
    if (!refuses_at(directory, path)) {
        BEFORE_EXEC(execveat_real()(directory, path, arguments, environment, flags));
    }
    WITHOUT_LIBRARY(environment);
    BEFORE_EXEC(execveat_real()(directory, path, arguments, names, flags));
}

PROBE_EXPORT int fexecve(int fd, char *const arguments[], char *const environment[])
{
    return execveat(fd, "", arguments, environment, AT_EMPTY_PATH);
}

/* The arguments of execl and its like, up to the NULL that ends them. */
static size_t list_count(const char *first, va_list rest)
{
    size_t count = first == NULL ? 0 : 1;
    while (count > 0 && va_arg(rest, const char *) != NULL) {
        count++;
    }
    return count;
}

/* The same as an array, with the NULL. */
static void list_copy(const char *first, va_list rest, size_t count, char **array)
{
    array[0] = (char *)first;
    for (size_t i = 1; i <= count; i++) {
        array[i] = va_arg(rest, char *);
    }
}

/* Declares `array`, with the arguments of the calling function from `first` on, and
 * `rest`, which is then behind the NULL. */
#define LIST_TAKE(first)                                                               \
    va_list rest;                                                                      \
    va_start(rest, first);                                                             \
    size_t count = list_count(first, rest);                                            \
    va_end(rest);                                                                      \
    char **array = alloca((count + 1) * sizeof(*array));                               \
    va_start(rest, first);                                                             \
    list_copy(first, rest, count, array)

PROBE_EXPORT int execl(const char *path, const char *first, ...)
{
    LIST_TAKE(first);
    va_end(rest);
    return execve(path, array, environ);
}

PROBE_EXPORT int execlp(const char *file, const char *first, ...)
{
    LIST_TAKE(first);
    va_end(rest);
    return execvpe(file, array, environ);
}

PROBE_EXPORT int execle(const char *path, const char *first, ...)
{
    LIST_TAKE(first);
    char *const *environment = va_arg(rest, char *const *);
    va_end(rest);
    return execve(path, array, environment);
}

#define FRAME __builtin_frame_address(0)

PROBE_EXPORT int posix_spawn(pid_t *ret_child, const char *path,
                             const posix_spawn_file_actions_t *actions,
                             const posix_spawnattr_t *attributes,
                             char *const arguments[], char *const environment[])
{
    pid_t child = 0;
    int error;
    if (!probe_next_refuses(path)) {
        error = posix_spawn_real()(&child, path, actions, attributes, arguments,
                                   environment);
    } else {
        WITHOUT_LIBRARY(environment);
        error = posix_spawn_real()(&child, path, actions, attributes, arguments, names);
    }
    probe_child_spawned(error, child, ret_child, FRAME);
    return error;
}

PROBE_EXPORT int posix_spawnp(pid_t *ret_child, const char *file,
                              const posix_spawn_file_actions_t *actions,
                              const posix_spawnattr_t *attributes,
                              char *const arguments[], char *const environment[])
{
    pid_t child = 0;
    int error;
    if (!probe_next_refuses_command(file)) {
        error = posix_spawnp_real()(&child, file, actions, attributes, arguments,
                                    environment);
    } else {
        WITHOUT_LIBRARY(environment);
        error =
            posix_spawnp_real()(&child, file, actions, attributes, arguments, names);
    }
    probe_child_spawned(error, child, ret_child, FRAME);
    return error;
}

#if __GLIBC_PREREQ(2, 39)

PROBE_REAL(pidfd_spawn)
PROBE_REAL(pidfd_spawnp)

/* As probe_child_spawned, of a child that is known by a descriptor. */
static void child_spawned_as(int error, int fd, int *ret_fd, const void *frame)
{
    if (error == 0) {
        *ret_fd = fd;
        struct probe_visit visit = probe_visit_begin();
        pid_t child = pidfd_getpid(fd);
        probe_visit_end(visit);
        probe_child_made(child, frame);
        probe_fd_made(fd, FD_PROCESS, frame);
    }
}

PROBE_EXPORT int pidfd_spawn(int *ret_fd, const char *path,
                             const posix_spawn_file_actions_t *actions,
                             const posix_spawnattr_t *attributes,
                             char *const arguments[], char *const environment[])
{
    int fd = -1;
    int error;
    if (!probe_next_refuses(path)) {
        error =
            pidfd_spawn_real()(&fd, path, actions, attributes, arguments, environment);
    } else {
        WITHOUT_LIBRARY(environment);
        error = pidfd_spawn_real()(&fd, path, actions, attributes, arguments, names);
    }
    child_spawned_as(error, fd, ret_fd, FRAME);
    return error;
}

PROBE_EXPORT int pidfd_spawnp(int *ret_fd, const char *file,
                              const posix_spawn_file_actions_t *actions,
                              const posix_spawnattr_t *attributes,
                              char *const arguments[], char *const environment[])
{
    int fd = -1;
    int error;
    if (!probe_next_refuses_command(file)) {
        error =
            pidfd_spawnp_real()(&fd, file, actions, attributes, arguments, environment);
    } else {
        WITHOUT_LIBRARY(environment);
        error = pidfd_spawnp_real()(&fd, file, actions, attributes, arguments, names);
    }
    child_spawned_as(error, fd, ret_fd, FRAME);
    return error;
}

#endif
