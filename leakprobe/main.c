/*
 * leakprobe: starts a program with the instruments in it. It says to the loader, by the
 * environment, what to load, and becomes the program: the same process, with its pid,
 * its signals, its status.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/command_line.h"
#include "base/number.h"
#include "base/size.h"
#include "leakprobe/program.h"

#define LIBRARY "libleakprobe.so"
#define SHELL "/bin/sh"
/* What shells and env(1) end with for a command that they cannot start. */
#define STATUS_NOT_EXECUTED 126
#define STATUS_NOT_FOUND 127

static struct {
    int64_t port;
    const char *heap;
    const char *resources;
    const char *follow_fork;
    const char *at_exit;
    const char *socket_path;
    struct command_list only;
    int64_t trace_seconds;
    bool quiet;
} options = {.port = 6060, .heap = "exact", .resources = "on", .follow_fork = "on"};

static int heap_check(const char *value, struct failure *failure)
{
    uint64_t bytes;
    bool right = strcmp(value, "exact") == 0 || strcmp(value, "off") == 0 ||
                 strcmp(value, "sampled") == 0 ||
                 (strncmp(value, "sampled=", 8) == 0 &&
                  number_parse_size(value + 8, 1, GIB, &bytes) == 0);
    return right ? 0
                 : failure_set(failure, EINVAL,
                               "--heap takes exact, sampled[=SIZE] or off, not '%.60s'",
                               value);
}

static int socket_check(const char *value, struct failure *failure)
{
    return *value != '\0' && strlen(value) < 108
               ? 0
               : failure_set(failure, EINVAL,
                             "--unix takes a path of at most 107 bytes");
}

static int only_check(const char *value, struct failure *failure)
{
    return *value != '\0' && strpbrk(value, ":/") == NULL
               ? 0
               : failure_set(failure, EINVAL,
                             "--only takes the name of a program, not '%.60s'", value);
}

static const struct command_option table[] = {
    {.name = "port",
     .word = "N",
     .help = "debug port; if it is taken, the next free one (%; 0: any free port)",
     .number = &options.port,
     .most = 65535},
    {.name = "unix",
     .word = "PATH",
     .help = "a Unix socket in place of the port, for containers; a forked child's is "
             "PATH.PID",
     .text = &options.socket_path,
     .check = socket_check},
    {.name = "heap",
     .word = "MODE",
     .help = "exact: every allocation; sampled[=SIZE]: one in SIZE bytes on average "
             "(512K); off: none (%)",
     .text = &options.heap,
     .check = heap_check},
    {.name = "resources",
     .word = "on|off",
     .help = "profiles of descriptors, threads, timers, mappings and children by who "
             "made them, and who waits for which lock (%)",
     .text = &options.resources,
     .choices = "on|off"},
    {.name = "follow-fork",
     .word = "on|off",
     .help = "a forked child gets a debug port of its own (%)",
     .text = &options.follow_fork,
     .choices = "on|off"},
    {.name = "only",
     .word = "NAME",
     .help = "instruments only in programs of this name; may be given more than once "
             "(the command's own name)",
     .list = &options.only,
     .check = only_check},
    {.name = "at-exit",
     .word = "FILE",
     .help = "write what is in use when the program ends, and what of it is lost, as "
             "profile.proto; %p in FILE becomes the pid",
     .literal = true,
     .text = &options.at_exit},
    {.name = "trace-memory",
     .word = "SECONDS",
     .help = "a line about memory on standard error, every second or every SECONDS",
     .number = &options.trace_seconds,
     .least = 1,
     .most = 3600,
     .implied = 1},
    {.name = "quiet", .help = "write nothing", .given = &options.quiet},
};

static const struct command_line line = {
    .program = "leakprobe",
    .usage = "[OPTIONS] -- COMMAND [ARGUMENT]...",
    .about = "Runs COMMAND with a debug port in it: heap and thread profiles by URL, "
             "what is "
             "lost and who holds the rest, for go tool pprof and the browser. It stays "
             "the same process: its pid, its "
             "signals, its exit status. Each process that gets a debug port says so on "
             "standard error.",
    .options = table,
    .count = sizeof(table) / sizeof(table[0]),
    .notes = "Programs that are static or set-uid run without instruments, and "
             "leakprobe says so. Exit status: COMMAND's; 2 for wrong usage, 126 or 127 "
             "if COMMAND cannot be run or found.",
};

static int fail(const char *text, int status)
{
    fprintf(stderr, "leakprobe: %s\n", text);
    return status;
}

/* Finds the library: beside this program, where it is built, or in ../lib beside it,
 * where it is installed. */
static int library_find(char *ret_path, size_t size, struct failure *failure)
{
    static const char *const places[] = {"", "../lib/"};
    char own[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
    if (length <= 0) {
        return failure_set(failure, EIO, "cannot read /proc/self/exe");
    }
    own[length] = '\0';
    *(strrchr(own, '/') + 1) = '\0';
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        char path[PATH_MAX + 64];
        snprintf(path, sizeof(path), "%s%s" LIBRARY, own, places[i]);
        char *real = realpath(path, NULL);
        bool fits = real != NULL && snprintf(ret_path, size, "%s", real) < (int)size;
        free(real);
        if (fits) {
            /* The loader takes these for the ends of a path. */
            return strpbrk(ret_path, " :") == NULL
                       ? 0
                       : failure_set(failure, EINVAL,
                                     "the loader finds no library in a path with a "
                                     "space or a colon: '%.300s'",
                                     ret_path);
        }
    }
    return failure_set(failure, ENOENT, "no " LIBRARY " in '%.300s' or '../lib' there",
                       own);
}

/* The names that are followed, joined by ':'. */
static void only_set(const char *path)
{
    char names[4096] = "";
    size_t length = 0;
    for (size_t i = 0; i < options.only.count && length < sizeof(names); i++) {
        length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s",
                                   i > 0 ? ":" : "", options.only.items[i]);
    }
    const char *slash = strrchr(path, '/');
    setenv("LEAKPROBE_ONLY",
           options.only.count > 0 ? names : (slash == NULL ? path : slash + 1), 1);
}

/* Sets a variable, or takes one away that the caller's environment has. */
static void variable_set(const char *name, const char *value)
{
    if (value != NULL) {
        setenv(name, value, 1);
    } else {
        unsetenv(name);
    }
}

static void environment_set(const char *library, const char *path)
{
    char text[2 * PATH_MAX];
    const char *others = getenv("LD_PRELOAD");
    snprintf(text, sizeof(text), "%s%s%s", library,
             others != NULL && *others != '\0' ? ":" : "",
             others != NULL ? others : "");
    setenv("LD_PRELOAD", text, 1);
    snprintf(text, sizeof(text), "%d", (int)options.port);
    setenv("LEAKPROBE_PORT", text, 1);
    snprintf(text, sizeof(text), "%d", (int)options.trace_seconds);
    variable_set("LEAKPROBE_TRACE_MEMORY", options.trace_seconds > 0 ? text : NULL);
    variable_set("LEAKPROBE_UNIX", options.socket_path);
    setenv("LEAKPROBE_HEAP", options.heap, 1);
    setenv("LEAKPROBE_RESOURCES", options.resources, 1);
    setenv("LEAKPROBE_FOLLOW_FORK", options.follow_fork, 1);
    variable_set("LEAKPROBE_AT_EXIT", options.at_exit);
    variable_set("LEAKPROBE_QUIET", options.quiet ? "1" : NULL);
    only_set(path);
}

/* Asks the loader for the library. A program that takes none gets the variables only
 * for others that it starts: with --only. */
static void instruments_prepare(const char *path)
{
    struct failure reason;
    char library[PATH_MAX];
    enum program_kind kind = program_kind(path, &reason);
    bool takes = kind == PROGRAM_TAKES;
    if (takes || (kind == PROGRAM_IGNORES && options.only.count > 0)) {
        if (library_find(library, sizeof(library), &reason) == 0) {
            environment_set(library, path);
        } else {
            takes = false;
        }
    }
    if (!takes && !options.quiet) {
        fprintf(stderr, "leakprobe: %s runs without instruments: %s\n", path,
                reason.text);
    }
}

/* A file that the kernel does not know is a script without "#!": execvp gives such a
 * file to the shell, and so does every other program that starts commands. */
static void shell_run(const char *path, char **command)
{
    size_t count = 0;
    while (command[count] != NULL) {
        count++;
    }
    char **arguments = calloc(count + 2, sizeof(*arguments));
    if (arguments == NULL) {
        return; /* errno says ENOMEM */
    }
    arguments[0] = SHELL;
    arguments[1] = (char *)path;
    for (size_t i = 1; i < count; i++) {
        arguments[i + 1] = command[i];
    }
    if (options.only.count == 0 && getenv("LEAKPROBE_ONLY") != NULL) {
        only_set(SHELL);
    }
    execv(SHELL, arguments);
    free(arguments);
}

int main(int argc, char **argv)
{
    struct failure failure;
    int own = 0; /* arguments before "--" */
    while (own < argc && strcmp(argv[own], "--") != 0) {
        own++;
    }
    int rest = 0;
    enum command_result result = command_line_read(&line, own, argv, &rest, &failure);
    if (result == COMMAND_RUN && (rest < own || own + 1 >= argc)) {
        result = COMMAND_WRONG;
        failure_set(&failure, EINVAL, "the command comes after --");
    }
    if (result != COMMAND_RUN) {
        return command_line_answer(&line, result, &failure);
    }
    char path[PATH_MAX];
    char **command = argv + own + 1;
    int error = program_find(command[0], path, sizeof(path), &failure);
    if (error != 0) {
        return fail(failure.text,
                    error == -ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTED);
    }
    instruments_prepare(path);
    execv(path, command);
    if (errno == ENOEXEC) {
        shell_run(path, command);
    }
    failure_set(&failure, errno, "cannot run '%.300s': %s", path, strerror(errno));
    return fail(failure.text, STATUS_NOT_EXECUTED);
}
