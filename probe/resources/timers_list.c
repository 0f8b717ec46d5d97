/*
 * The timers that the kernel lists in /proc/self/timers (proc(5)), four lines each:
 *
 *   ID: 7
 *   signal: 34/0000000000000000      the signal, and the value that comes with it
 *   notify: signal/tid.4242
 *   ClockID: 1
 *
 * How a timer is set is asked of the kernel, by its own number: what a timer_t points
 * to may be freed at any time.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "probe/figures/proc_file.h"
#include "probe/process/descriptors.h"
#include "probe/resources/resource_list.h"
#include "probe/resources/timer_notes.h"

/* Bits of the number of a clock that counts processor time (clock_getres(2)): it is
 * negative, and either a thread's or a process's. */
#define CLOCK_OF_THREAD 4

struct kernel_timer {
    int number; /* -1: none was read yet */
    int signal;
    uintptr_t value;
    char notify[16]; /* "signal", "none", "thread" */
    int clock;
};

struct survey {
    struct resource_list *list;
    size_t count;
    size_t unseen;
};

static const char *kind_of(const struct kernel_timer *timer)
{
    if (strcmp(timer->notify, "none") == 0) {
        return "none";
    }
    bool by_thread =
        strcmp(timer->notify, "thread") == 0 || timer->signal == TIMER_THREAD_SIGNAL;
    return by_thread ? "thread" : "signal";
}

static void clock_write(struct buffer *text, int clock)
{
    static const struct {
        clockid_t clock;
        const char *name;
    } names[] = {
        {CLOCK_REALTIME, "CLOCK_REALTIME"},
        {CLOCK_MONOTONIC, "CLOCK_MONOTONIC"},
        {CLOCK_BOOTTIME, "CLOCK_BOOTTIME"},
        {CLOCK_REALTIME_ALARM, "CLOCK_REALTIME_ALARM"},
        {CLOCK_BOOTTIME_ALARM, "CLOCK_BOOTTIME_ALARM"},
        {CLOCK_TAI, "CLOCK_TAI"},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].clock == clock) {
            buffer_text(text, names[i].name);
            return;
        }
    }
    if (clock < 0) {
        buffer_text(text, (clock & CLOCK_OF_THREAD) != 0
                              ? "processor time of a thread"
                              : "processor time of a process");
    } else {
        buffer_printf(text, "clock %d", clock);
    }
}

static double milliseconds(struct timespec time)
{
    return (double)time.tv_sec * 1000 + (double)time.tv_nsec / CLOCK_NS_PER_MS;
}

/* "every 100 ms", "once, in 20 ms", "not set"; nothing if the timer is gone. */
static void setting_write(struct buffer *text, int number)
{
    struct itimerspec set;
    if (syscall(SYS_timer_gettime, number, &set) != 0) {
        return;
    }
    if (milliseconds(set.it_value) <= 0) {
        buffer_text(text, "not set, ");
    } else if (milliseconds(set.it_interval) > 0) {
        buffer_printf(text, "every %.12g ms, ", milliseconds(set.it_interval));
    } else {
        buffer_printf(text, "once, in %.0f ms, ", milliseconds(set.it_value));
    }
}

static void timer_show(struct survey *survey, const struct kernel_timer *timer)
{
    timer_t named = probe_timer_of(timer->number, timer->signal, timer->value);
    struct resource_item item = {
        .maker = MADE_BY_STACK,
        .note = probe_timer_note(named),
        .kind = kind_of(timer),
        .values = {1},
    };
    struct buffer example = {0};
    buffer_printf(&example, "timer %d, ", timer->number);
    setting_write(&example, timer->number);
    clock_write(&example, timer->clock);
    if (item.note.made != 0) {
        buffer_printf(&example, ", made %.1f s ago",
                      (double)probe_resource_age(item.note) / CLOCK_NS_PER_SECOND);
    }
    survey->count++;
    survey->unseen += item.note.stack == 0;
    probe_resource_list_add(survey->list, &item,
                            example.error == 0 ? example.data : NULL);
    buffer_release(&example);
}

/* Reads one line. The first one of the next timer shows the last one. */
static void line_read(struct survey *survey, struct kernel_timer *timer,
                      const char *line)
{
    int number;
    if (sscanf(line, "ID: %d", &number) == 1) {
        if (timer->number >= 0) {
            timer_show(survey, timer);
        }
        *timer = (struct kernel_timer){.number = number};
        return;
    }
    (void)sscanf(line, "signal: %d/%" SCNxPTR, &timer->signal, &timer->value);
    (void)sscanf(line, "notify: %15[a-z]", timer->notify);
    (void)sscanf(line, "ClockID: %d", &timer->clock);
}

/* A kernel built without checkpoint/restore has no such file: then nothing is known.
 * Without /proc there is no other file either. */
static int missing_error(void)
{
    int fd = probe_proc_open("thread-self/status", O_RDONLY);
    if (fd < 0) {
        return fd;
    }
    close(fd);
    return -ENOTSUP;
}

static int timers_list(struct resource_list *list)
{
    struct survey survey = {.list = list};
    struct kernel_timer timer = {.number = -1};
    struct proc_file file;
    const char *line;
    int error = probe_proc_file_open(&file, "self/timers");
    if (error != 0) {
        return error == -ENOENT ? missing_error() : error;
    }
    while ((line = probe_proc_file_line(&file)) != NULL) {
        line_read(&survey, &timer, line);
    }
    probe_proc_file_close(&file);
    if (timer.number >= 0) {
        timer_show(&survey, &timer);
    }
    buffer_printf(&list->remarks, "the kernel lists %zu; %zu made unseen", survey.count,
                  survey.unseen);
    return file.error;
}

const struct resource_subject probe_timers = {
    .name = "timers",
    .values = {{"timers", "count"}},
    .list = timers_list,
};
