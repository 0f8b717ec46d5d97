/*
 * Parses the files of /proc/self/task/<tid>/: stat, status and syscall (proc(5)),
 * and sched (kernel/sched/debug.c; it exists if the kernel has CONFIG_SCHED_DEBUG).
 */
#include "probe/threads/thread_details.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* Fields of stat, counted from 0 after the name: field 3 of proc(5), the state, is
 * 0. */
#define STAT_START_TIME (22 - 3)
#define STAT_PROCESSOR (39 - 3)

ssize_t probe_thread_file_read(int task_fd, pid_t tid, const char *name, char *ret_text,
                               size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "%d/%s", (int)tid, name);
    int fd = openat(task_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    ssize_t got;
    do {
        got = read(fd, ret_text, size - 1);
    } while (got < 0 && errno == EINTR);
    got = got < 0 ? -errno : got;
    close(fd);
    ret_text[got < 0 ? 0 : got] = '\0';
    return got;
}

/* Whether there is something in the file. */
static bool file_read(int task_fd, pid_t tid, const char *name, char *ret_text,
                      size_t size)
{
    return probe_thread_file_read(task_fd, tid, name, ret_text, size) > 0;
}

/* When the thread last ran, in milliseconds of the scheduler's clock; 0: not known. */
static double exec_start_read(int task_fd, pid_t tid)
{
    static const char label[] = "se.exec_start";
    char text[512];
    if (!file_read(task_fd, tid, "sched", text, sizeof(text))) {
        return 0;
    }
    const char *at = strstr(text, label);
    at = at == NULL ? NULL : strchr(at, ':');
    return at == NULL ? 0 : strtod(at + 1, NULL);
}

void probe_thread_clock_read(int task_fd, struct thread_clock *ret_clock)
{
    struct timespec boot;
    clock_gettime(CLOCK_BOOTTIME, &boot);
    ret_clock->boot_ns = (int64_t)boot.tv_sec * CLOCK_NS_PER_SECOND + boot.tv_nsec;
    ret_clock->processor = sched_getcpu();
    ret_clock->exec_start_ms = exec_start_read(task_fd, gettid());
    if (sched_getcpu() != ret_clock->processor) {
        ret_clock->exec_start_ms =
            0; /* moved in between: not known whose clock it is */
    }
}

/* The field of stat with this number, if `state` is field 0; NULL if it is not there.
 */
static const char *stat_field(const char *state, int number)
{
    const char *field = state;
    for (int i = 0; i < number && field != NULL; i++) {
        field = strchr(field, ' ');
        field = field == NULL ? NULL : field + 1;
    }
    return field;
}

/* In lines of text, a name with a line's end would look like another thread's. */
static void name_keep(struct thread_entry *entry, const char *name)
{
    snprintf(entry->name, sizeof(entry->name), "%s", name);
    for (char *at = entry->name; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == '\x7f') {
            *at = '?';
        }
    }
}

/* "4242 (name) S ...": the name can contain any characters, even parentheses and
 * spaces. Writes the processor that the thread ran on last to ret_processor. */
static void stat_parse(char *text, const struct thread_clock *clock,
                       struct thread_entry *entry, int *ret_processor)
{
    char *open = strchr(text, '(');
    char *close = strrchr(text, ')');
    if (open == NULL || close == NULL || close < open || close[1] != ' ') {
        return;
    }
    *close = '\0';
    name_keep(entry, open + 1);
    const char *field = close + 2;
    entry->state = *field;
    const char *start_time = stat_field(field, STAT_START_TIME);
    if (start_time != NULL) {
        int64_t ticks = strtoll(start_time, NULL, 10);
        int64_t start = ticks * (CLOCK_NS_PER_SECOND / sysconf(_SC_CLK_TCK));
        entry->born_ns = start;
        entry->lifetime_ns = clock->boot_ns > start ? clock->boot_ns - start : 0;
    }
    const char *processor = stat_field(field, STAT_PROCESSOR);
    *ret_processor = processor == NULL ? -1 : atoi(processor);
}

void probe_thread_details_read(int task_fd, const struct thread_clock *clock,
                               struct thread_entry *entry)
{
    char text[1024];
    int processor = -1;
    if (file_read(task_fd, entry->tid, "stat", text, sizeof(text))) {
        stat_parse(text, clock, entry, &processor);
    }
    if (clock->exec_start_ms <= 0 || processor < 0 || processor != clock->processor) {
        return;
    }
    double ran = exec_start_read(task_fd, entry->tid);
    if (ran > 0) {
        double waited = clock->exec_start_ms - ran;
        entry->waited_ns = waited > 0 ? (int64_t)(waited * (double)CLOCK_NS_PER_MS) : 0;
        if (entry->waited_ns > entry->lifetime_ns) {
            entry->waited_ns = entry->lifetime_ns; /* the two clocks differ a little */
        }
    }
}

/* "running"; or "202 0x7f.. 0x80 0x0 ..." with the call's number, its six arguments,
 * the stack pointer and the address where the thread goes on. A thread that waits
 * outside of a call, for a page of memory, has -1 and no arguments. */
void probe_thread_call_read(int task_fd, struct thread_entry *entry)
{
    char text[256];
    entry->call = THREADS_CALL_UNKNOWN;
    if (!file_read(task_fd, entry->tid, "syscall", text, sizeof(text))) {
        return;
    }
    entry->call = THREADS_CALL_NONE;
    const char *last = strrchr(text, ' ');
    if (text[0] >= '0' && text[0] <= '9' && last != NULL) {
        entry->call = strtol(text, NULL, 10);
        entry->call_after = strtoull(last, NULL, 16);
    }
}

bool probe_thread_ended(int task_fd, pid_t tid)
{
    char text[512];
    pid_t process = getpid();
    if (tgkill(process, tid, 0) != 0) {
        return errno == ESRCH;
    }
    if (tid != process || task_fd < 0 ||
        !file_read(task_fd, tid, "stat", text, sizeof(text))) {
        return false;
    }
    const char *name_end = strrchr(text, ')');
    return name_end != NULL && strncmp(name_end, ") Z", 3) == 0;
}

/* Whether the signal is in the set `name` of the file status. */
static bool status_has(const char *status, const char *name, int signal)
{
    const char *at = strstr(status, name);
    return at != NULL && (strtoull(at + strlen(name), NULL, 16) >> (signal - 1) & 1);
}

bool probe_thread_blocks(int task_fd, pid_t tid, int signal)
{
    /* A blocked signal must also be pending: a thread that runs the handler blocks the
     * signal too, but then the signal has been delivered. */
    char text[4096];
    return file_read(task_fd, tid, "status", text, sizeof(text)) &&
           status_has(text, "SigBlk:", signal) && status_has(text, "SigPnd:", signal);
}
