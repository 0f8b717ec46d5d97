/*
 * Both servers begin here: options, limits, upstream, profiler, server; then they wait
 * for a signal and stop in the reverse order.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "debug/heap.h"
#include "debug/symbols.h"
#include "debug/threads.h"
#include "options.h"
#include "runtime/ticker.h"
#include "scenario.h"
#include "server/guard.h"
#include "server/server.h"
#include "server/upstream.h"
#include "variant.h"

#define STOP_LIMIT_SECONDS 3

/* Prints one line about what hinders the server, and returns the exit status. */
static int fail(const char *what, const char *subject, int error)
{
    fprintf(stderr, "%s: %s%s: %s\n", variant.name, what, subject, strerror(-error));
    return 1;
}

/* Makes the directory if it is missing, and sees that files can be made in it. */
static int directory_prepare(const char *path)
{
    if (mkdir(path, 0755) != 0 && errno != EEXIST) {
        return -errno;
    }
    char probe[1024];
    snprintf(probe, sizeof probe, "%s/.%s-%d", path, variant.name, getpid());
    int fd = open(probe, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    close(fd);
    return unlink(probe) == 0 ? 0 : -errno;
}

/* Removes a directory that holds plain files only. */
static void directory_remove(const char *path)
{
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            unlinkat(dirfd(directory), entry->d_name, 0);
        }
    }
    closedir(directory);
    rmdir(path);
}

/* The signals that stop the server. They are blocked in every thread, and this one
 * waits for them. */
static sigset_t stop_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return set;
}

static void signals_prepare(void)
{
    sigset_t set = stop_signals();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* Thousands of stuck threads shall not need gigabytes of addresses. The threads of the
 * server, which exist by now, keep the system's default: libdw needs more than this. */
static void stacks_prepare(void)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, guard_stack_bytes());
    pthread_setattr_default_np(&attributes);
    pthread_attr_destroy(&attributes);
}

/* Second signal, or stopping takes too long: what is left is the kernel's to clean up.
 */
static void stop_at_once(int signal_number)
{
    (void)signal_number;
    _exit(0);
}

static void wait_for_signal(void)
{
    sigset_t set = stop_signals();
    int number;
    while (sigwait(&set, &number) != 0) {
    }
    struct sigaction action = {.sa_handler = stop_at_once};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    alarm(STOP_LIMIT_SECONDS);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
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

/* Serves until a signal comes. Returns the exit status. */
static int serve(const struct server_settings *settings)
{
    struct server *server;
    char message[512];
    if (server_start(&server, settings, message, sizeof message) != 0) {
        fprintf(stderr, "%s: %s\n", variant.name, message);
        return 1;
    }
    stacks_prepare();
    announce(server, settings->options);
    wait_for_signal();
    server_stop(server);
    scenarios_stop();
    return 0;
}

/* Starts the upstream, unless the user named one, then the profiler, and serves. The
 * upstream is a fork and comes first: its memory shall not be in the profile. */
static int run(struct options *options, const char *directory)
{
    char url[256];
    pid_t upstream = 0;
    if (options->upstream != NULL) {
        size_t length = strlen(options->upstream);
        while (length > 0 && options->upstream[length - 1] == '/') {
            length--;
        }
        snprintf(url, sizeof url, "%.*s", (int)length, options->upstream);
    } else if ((upstream = upstream_start(url, sizeof url)) < 0) {
        return fail("cannot start the upstream", "", upstream);
    }

    char prefix[1000];
    snprintf(prefix, sizeof prefix, "%s/%s", options->directory, variant.name);
    int status = 1;
    /* Without symbols a profile shows bare addresses, which is still better than none;
     * reading them before the profiler starts keeps libdw out of the profile. */
    symbols_load();
    int error = guard_set_limits(options);
    if (error != 0) {
        fail("cannot set the limits", "", error);
    } else if ((error = threads_start()) != 0) {
        fail("cannot prepare the thread profile", "", error);
    } else if ((error = ticker_prepare()) != 0) {
        fail("cannot start the dispatcher of tickers", "", error);
    } else if ((error = heap_start(options->profile, prefix)) != 0) {
        fail("cannot start the heap profiler", "", error);
    } else {
        struct server_settings settings = {options, url, directory};
        status = serve(&settings);
    }
    upstream_stop(upstream);
    return status;
}

int main(int argc, char **argv)
{
    struct options options;
    char message[256];
    switch (options_parse(&options, argc, argv, message, sizeof message)) {
    case OPTIONS_HELP:
        options_usage(stdout);
        return 0;
    case OPTIONS_VERSION:
        printf("%s %s\n", variant.name, LAB_VERSION);
        return 0;
    case OPTIONS_WRONG:
        fprintf(stderr, "%s: %s\nTry '%s --help'.\n", variant.name, message,
                variant.name);
        return 2;
    case OPTIONS_RUN:
        break;
    }
    int error = heap_prepare(argv);
    if (error != 0) {
        return fail("cannot restart with the profiler's settings", "", error);
    }
    error = directory_prepare(options.directory);
    if (error != 0) {
        return fail("cannot write to the profile directory ", options.directory, error);
    }
    char directory[64];
    snprintf(directory, sizeof directory, "/tmp/%s-XXXXXX", variant.name);
    if (mkdtemp(directory) == NULL) {
        return fail("cannot make a directory ", directory, -errno);
    }
    signals_prepare();
    int status = run(&options, directory);
    directory_remove(directory);
    return status;
}
