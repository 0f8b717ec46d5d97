/*
 * Both servers begin here: options, limits, upstream, profiler, server; then they wait
 * for a signal and stop in the reverse order.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "options.h"
#include "probe/heap/heap.h"
#include "probe/symbols/symbols.h"
#include "probe/threads/threads.h"
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
    snprintf(probe, sizeof(probe), "%s/.%s-%d", path, variant.name, getpid());
    int fd = open(probe, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    close(fd);
    return unlink(probe) == 0 ? 0 : -errno;
}

/* Makes a directory for the files of scenarios, in TMPDIR or /tmp, and writes its path.
 * Returns 0 or -errno. */
static int directory_make(char *path, size_t size)
{
    const char *parent = getenv("TMPDIR");
    if (parent == NULL || parent[0] != '/') {
        parent = "/tmp";
    }
    int length = snprintf(path, size, "%s/%s-XXXXXX", parent, variant.name);
    if (length < 0 || (size_t)length >= size) {
        return -ENAMETOOLONG;
    }
    return mkdtemp(path) == NULL ? -errno : 0;
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

/* The signals that stop the server. They are blocked in every thread; one thread waits
 * for them. */
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
    signal(SIGXFSZ, SIG_IGN); /* over `ulimit -f`, only the write fails */
}

#define GUARD_PAGES_MAX_THREADS 4000

/* Makes the stacks of later threads small: thousands of stuck threads must not need
 * gigabytes of addresses. The threads of the server, which exist by now, keep the
 * system's default: libdw needs more than this. */
static void stacks_prepare(const struct options *options)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, guard_stack_bytes());
    /* A stack with its guard page is two lines of /proc/self/maps, all of which
     * gperftools puts into the 1 MiB of a heap profile, before any stack of calls: some
     * 9,000 threads leave no room. Stacks without one merge into a few lines. */
    if (options->max_threads > GUARD_PAGES_MAX_THREADS) {
        pthread_attr_setguardsize(&attributes, 0);
    }
    pthread_setattr_default_np(&attributes);
    pthread_attr_destroy(&attributes);
}

/* The stop of the server: the thread that waits for signals, and what it needs. */
struct stop {
    pthread_t thread;
    const char *directory;
    sem_t asked;      /* posted by the first signal */
    atomic_bool over; /* main has stopped all in order */
};

/* The thread that waits for signals. The first lets main stop the server. When a second
 * comes, or stopping takes too long, it ends the process: then the kernel ends the
 * upstream, but nobody else removes the directory. */
static void *stop_main(void *argument)
{
    struct stop *stop = argument;
    pthread_setname_np(pthread_self(), "signals");
    sigset_t set = stop_signals();
    const struct timespec limit = {.tv_sec = STOP_LIMIT_SECONDS};
    while (sigwaitinfo(&set, NULL) < 0) {
    }
    sem_post(&stop->asked);
    while (sigtimedwait(&set, NULL, &limit) < 0 && errno == EINTR) {
    }
    if (!atomic_load(&stop->over)) {
        directory_remove(stop->directory);
        _exit(0);
    }
    return NULL;
}

static int stop_prepare(struct stop *stop, const char *directory)
{
    stop->directory = directory;
    stop->over = false;
    sem_init(&stop->asked, 0, 0);
    return -pthread_create(&stop->thread, NULL, stop_main, stop);
}

static void stop_await(struct stop *stop)
{
    while (sem_wait(&stop->asked) != 0) {
    }
}

/* To be called when all has been stopped: from here on main ends the process. */
static void stop_finish(struct stop *stop)
{
    atomic_store(&stop->over, true);
    pthread_kill(stop->thread, SIGTERM);
    pthread_join(stop->thread, NULL);
    sem_destroy(&stop->asked);
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
    if (server_start(&server, settings, message, sizeof(message)) != 0) {
        fprintf(stderr, "%s: %s\n", variant.name, message);
        return 1;
    }
    struct stop stop;
    int error = stop_prepare(&stop, settings->directory);
    if (error != 0) {
        server_stop(server);
        return fail("cannot wait for signals", "", error);
    }
    stacks_prepare(settings->options);
    announce(server, settings->options);
    stop_await(&stop);
    server_stop(server);
    scenarios_stop();
    ticker_finish(); /* the leaky server's tickers still tick, up to here */
    stop_finish(&stop);
    return 0;
}

/* Starts the upstream, unless the user named one, then the profiler, and serves. The
 * upstream is a fork and comes first: its memory must not be in the profile. */
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
    /* Without symbols a profile shows bare addresses, which is still better than none;
     * reading them before the profiler starts keeps libdw out of the profile. */
    probe_symbols_load();
    int error = guard_set_limits(options);
    if (error != 0) {
        fail("cannot set the limits", "", error);
    } else if ((error = probe_threads_start()) != 0) {
        fail("cannot prepare the thread profile", "", error);
    } else if ((error = ticker_prepare()) != 0) {
        fail("cannot start the dispatcher of tickers", "", error);
    } else if ((error = probe_heap_start(options->profile)) != 0) {
        fail("cannot start the heap profiler", "", error);
    } else {
        struct server_settings settings = {options, url, directory};
        status = serve(&settings);
    }
    ticker_finish(); /* if one of these failed */
    upstream_stop(upstream);
    return status;
}

int main(int argc, char **argv)
{
    struct options options;
    int status;
    if (!options_parse(&options, argc, argv, &status)) {
        return status;
    }
    int error = probe_heap_prepare(argv);
    if (error != 0) {
        return fail("cannot restart with the profiler's settings", "", error);
    }
    error = directory_prepare(options.directory);
    if (error != 0) {
        return fail("cannot write to the profile directory ", options.directory, error);
    }
    signals_prepare(); /* from here on a signal leaves nothing behind */
    char directory[1024];
    error = directory_make(directory, sizeof(directory));
    if (error != 0) {
        return fail("cannot make a directory ", directory, error);
    }
    status = run(&options, directory);
    directory_remove(directory);
    return status;
}
