/*
 * Both servers start here: options, limits, upstream, profiler, server. Then they wait
 * for a signal and stop in the reverse order.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "directory.h"
#include "instruments.h"
#include "options.h"
#include "probe/figures/memory_trace.h"
#include "probe/heap/heap.h"
#include "probe/recorder/inside.h"
#include "probe/symbols/symbols.h"
#include "probe/threads/threads.h"
#include "runtime/ticker.h"
#include "scenario.h"
#include "server/guard.h"
#include "server/server.h"
#include "server/upstream.h"
#include "stop.h"
#include "variant.h"

/* Prints one line about what failed, and returns the exit status. */
static int fail(const char *what, const char *subject, int error)
{
    fprintf(stderr, "%s: %s%s: %s\n", variant.name, what, subject, strerror(-error));
    return 1;
}

/* Opens /dev/null in place of a standard stream that is closed. Otherwise the next file
 * or connection would get its number, and messages would be written into that. */
static int streams_open(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0) {
        return -errno;
    }
    close(fd);
    return 0;
}

static void announce(const struct server *server, const struct options *options)
{
    printf("%s: listening on http://%s:%d, debug ", variant.name, options->bind,
           server_port(server));
    if (server_debug_port(server) < 0) {
        printf("off");
    } else {
        printf("on http://%s:%d", options->bind, server_debug_port(server));
    }
    printf(", pid %d\n", getpid());
    fflush(stdout);
}

static void scenarios_stop(void)
{
    for (size_t i = 0; i < scenario_count; i++) {
        if (scenarios[i]->stop != NULL) {
            scenarios[i]->stop();
        }
    }
}

/* Starts the lines about memory, if they are wanted. Returns 0 or -errno. */
static int trace_start(const struct options *options)
{
    if (options->trace_seconds == 0) {
        return 0;
    }
    return probe_memory_trace_start(variant.name, (unsigned)options->trace_seconds);
}

/* Serves until a signal comes. Returns the exit status. */
static int serve(const struct server_settings *settings)
{
    struct server *server;
    char message[512];
    if (server_start(&server, settings, message, sizeof(message)) != 0) {
        fprintf(stderr, "%s: %s\n", variant.name, message);
        return 1;
    }
    struct stop stop;
    int error = stop_start(&stop, settings->directory);
    if (error != 0) {
        server_stop(server);
        return fail("cannot wait for signals", "", error);
    }
    guard_shrink_stacks(settings->options);
    error = trace_start(settings->options);
    int status = 0;
    if (error == 0) {
        announce(server, settings->options);
        stop_await(&stop);
        probe_memory_trace_stop();
    } else {
        status = fail("cannot write lines about memory", "", error);
    }
    server_stop(server);
    scenarios_stop();
    ticker_finish(); /* the leaky server's tickers tick until here */
    stop_finish(&stop);
    return status;
}

/* Starts the heap profile; if that fails, prints why. Returns whether it runs. */
static bool heap_start(enum heap_profile profile)
{
    int error = probe_heap_start(profile, 0);
    const char *reason = NULL;
    if (error == -ENOTSUP) {
        reason = "a sanitizer or Valgrind has this program's allocations";
    } else if (error == -ENOSYS) {
        reason = "it needs libunwind.so.8 (package libunwind8)";
    }
    if (reason != NULL) {
        fprintf(stderr, "%s: --profile recorder does not work here: %s\n", variant.name,
                reason);
    } else if (error != 0) {
        fail("cannot start the heap profiler", "", error);
    }
    return error == 0;
}

/* Starts the upstream, unless the user named one, then the profiler, then serves. The
 * upstream comes first: it is a fork, whose memory must not be in the profile. */
static int run(struct options *options, const char *directory)
{
    char url[256];
    pid_t upstream = 0;
    if (options->upstream != NULL) {
        size_t length = strlen(options->upstream);
        while (length > 0 && options->upstream[length - 1] == '/') {
            length--;
        }
        snprintf(url, sizeof(url), "%.*s", (int)length, options->upstream);
    } else if ((upstream = upstream_start(url, sizeof(url))) < 0) {
        return fail("cannot start the upstream", "", upstream);
    }

    int status = 1;
    /* Errors are ignored: a profile with bare addresses is still useful. The symbols
     * are read before the profiler starts, so libdw's memory is not in the profile. It
     * goes back to the system: in a buffer that is not written yet, what libdw has left
     * there would look like pointers to blocks. */
    probe_inside++;
    probe_symbols_load();
    probe_heap_release_free();
    probe_inside--;
    instruments_note();
    int error = guard_set_limits(options);
    if (error != 0) {
        fail("cannot set the limits", "", error);
    } else if ((error = probe_threads_start()) != 0) {
        fail("cannot prepare the thread profile", "", error);
    } else if ((error = ticker_prepare()) != 0) {
        fail("cannot start the dispatcher of tickers", "", error);
    } else if (heap_start(options->profile)) {
        struct server_settings settings = {options, url, directory};
        status = serve(&settings);
    }
    ticker_finish(); /* needed if one of these failed */
    upstream_stop(upstream);
    return status;
}

/* The loader calls this before the constructors of the libraries. The recorder starts
 * here, if it is wanted, to know the blocks that they allocate. The options are not
 * checked yet: main does that. */
static void begin_early(int count, char **arguments, char **environment)
{
    (void)environment;
    const char *profile = "";
    for (int i = 1; i < count; i++) {
        if (strncmp(arguments[i], "--profile=", 10) == 0) {
            profile = arguments[i] + 10;
        } else if (strcmp(arguments[i], "--profile") == 0 && i + 1 < count) {
            profile = arguments[i + 1];
        }
    }
    if (strcmp(profile, "recorder") == 0) {
        probe_heap_start_early();
    }
}

__attribute__((section(".preinit_array"),
               used)) static void (*const early)(int, char **, char **) = begin_early;

int main(int argc, char **argv)
{
    struct options options;
    int status;
    if (!options_parse(&options, argc, argv, &status)) {
        return status;
    }
    int error = streams_open();
    if (error != 0) {
        return fail("cannot open ", "/dev/null", error);
    }
    error = probe_heap_prepare(argv);
    if (error != 0) {
        return fail("cannot restart with the profiler's settings", "", error);
    }
    error = directory_prepare(options.directory);
    if (error != 0) {
        return fail("cannot write to the profile directory ", options.directory, error);
    }
    stop_signals_block(); /* from here on a signal leaves no files behind */
    char directory[1024];
    error = directory_make(directory, sizeof(directory));
    if (error != 0) {
        return fail("cannot make a directory ", directory, error);
    }
    status = run(&options, directory);
    directory_remove(directory);
    return status;
}
