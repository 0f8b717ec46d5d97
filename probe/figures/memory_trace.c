/*
 * The times of the lines are start + 1, 2, 3 ... intervals, so that they do not drift
 * by what each line takes.
 */
#include "probe/figures/memory_trace.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/figures/figures.h"
#include "probe/figures/memory_line.h"
#include "probe/threads/thread_entry.h"

/* How long stop waits for a thread that is in a write. */
#define STOP_LIMIT_NS (500 * CLOCK_NS_PER_MS)

static struct {
    const char *name;
    int64_t interval_ns;
    int64_t started_ns;
    int64_t next_ns;        /* when the next line is due */
    struct figures written; /* those of the last line that was written */
    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* of the two flags */
    pthread_cond_t changed;
    bool stop;  /* the thread is to end */
    bool ended; /* the thread has nothing more to do */
} trace = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void flag_set(bool *flag)
{
    pthread_mutex_lock(&trace.lock);
    *flag = true;
    pthread_cond_broadcast(&trace.changed);
    pthread_mutex_unlock(&trace.lock);
}

/* Waits until the flag is set, but not longer than until `end_ns`. Returns whether it
 * is set. */
static bool flag_await(const bool *flag, int64_t end_ns)
{
    const struct timespec end = {.tv_sec = end_ns / CLOCK_NS_PER_SECOND,
                                 .tv_nsec = end_ns % CLOCK_NS_PER_SECOND};
    int error = 0;
    pthread_mutex_lock(&trace.lock);
    while (!*flag && error == 0) {
        error = pthread_cond_timedwait(&trace.changed, &trace.lock, &end);
    }
    bool set = *flag;
    pthread_mutex_unlock(&trace.lock);
    return set;
}

/* Writes a line to standard error, whole, if that does not block. A pipe that is ready
 * has room for 4096 bytes (pipe(7)), unless another thread fills it at this very
 * moment: that is why stop does not wait for ever. Returns whether it was written. */
static bool line_write(const char *line, size_t length)
{
    struct pollfd error_stream = {.fd = STDERR_FILENO, .events = POLLOUT};
    const struct timespec now = {0};
    if (ppoll(&error_stream, 1, &now, NULL) != 1 ||
        (error_stream.revents & POLLOUT) == 0) {
        return false;
    }
    return write(STDERR_FILENO, line, length) == (ssize_t)length;
}

/* Reads the figures and writes what became of them since the last line. */
static void line_now(void)
{
    char line[MEMORY_LINE_SIZE];
    struct figures now;
    int error = probe_figures_read(&now);
    size_t length =
        error == 0 ? probe_memory_line_format(line, trace.name, trace.started_ns,
                                              &trace.written, &now)
                   : probe_memory_line_format_error(line, trace.name, trace.started_ns,
                                                    clock_now_ns(), error);
    if (line_write(line, length) && error == 0) {
        trace.written = now;
    }
}

int64_t probe_memory_trace_tick(int64_t now_ns)
{
    if (trace.interval_ns == 0) {
        return 0;
    }
    if (now_ns >= trace.next_ns) {
        line_now();
        /* If the process was stopped meanwhile, the lines of that time are left out. */
        int64_t passed = (clock_now_ns() - trace.started_ns) / trace.interval_ns;
        trace.next_ns = trace.started_ns + (passed + 1) * trace.interval_ns;
    }
    return trace.next_ns;
}

static void *trace_main(void *unused)
{
    (void)unused;
    pthread_setname_np(pthread_self(), "memory-trace");
    int64_t next_ns = trace.started_ns + trace.interval_ns;
    while (!flag_await(&trace.stop, next_ns)) {
        next_ns = probe_memory_trace_tick(clock_now_ns());
    }
    flag_set(&trace.ended);
    return NULL;
}

/* Starts the thread with all signals blocked but the thread profile's: signals that are
 * meant for the program go to its own threads, and a write to a pipe without a reader
 * does not end the process by SIGPIPE. */
static int thread_start(void)
{
    sigset_t blocked;
    sigset_t before;
    sigfillset(&blocked);
    sigdelset(&blocked, THREADS_SIGNAL);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    int error = -pthread_create(&trace.thread, NULL, trace_main, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

int probe_memory_trace_begin(const char *name, unsigned seconds)
{
    int error = probe_figures_read(&trace.written);
    if (error != 0) {
        return error;
    }
    trace.name = name;
    trace.interval_ns = seconds * CLOCK_NS_PER_SECOND;
    trace.started_ns = clock_now_ns();
    trace.next_ns = trace.started_ns + trace.interval_ns;
    return 0;
}

int probe_memory_trace_start(const char *name, unsigned seconds)
{
    int error = probe_memory_trace_begin(name, seconds);
    if (error != 0) {
        return error;
    }
    trace.stop = false;
    trace.ended = false;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&trace.changed, &attributes);
    pthread_condattr_destroy(&attributes);
    error = thread_start();
    trace.running = error == 0;
    return error;
}

void probe_memory_trace_stop(void)
{
    if (!trace.running) {
        return;
    }
    trace.running = false;
    flag_set(&trace.stop);
    if (flag_await(&trace.ended, clock_now_ns() + STOP_LIMIT_NS)) {
        pthread_join(trace.thread, NULL);
        pthread_cond_destroy(&trace.changed);
    }
}
