/*
 * What /proc says about one thread: name, state, times, signal mask, whether it has
 * ended.
 */
#ifndef PROBE_THREADS_THREAD_DETAILS_H
#define PROBE_THREADS_THREAD_DETAILS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe/threads/thread_entry.h"

/* The clocks that /proc uses, read at the same time. */
struct thread_clock {
    int64_t boot_ns;      /* CLOCK_BOOTTIME */
    double exec_start_ms; /* exec_start of the calling thread, which runs now; 0: not
                             known */
    int processor; /* that exec_start belongs to: each has a clock of its own, and
                      in a virtual machine they differ by seconds */
};

/* Reads the clocks. `task_fd` is the open directory /proc/self/task. */
void probe_thread_clock_read(int task_fd, struct thread_clock *ret_clock);

/* Fills in name, state and lifetime; and waited_ns, if the kernel says when the thread
 * last ran, by the clock of the caller's processor. A value that cannot be read stays
 * unchanged. */
void probe_thread_details_read(int task_fd, const struct thread_clock *clock,
                               struct thread_entry *entry);

/* Fills in `call` and `call_after`: what the thread waits in. Call it before the thread
 * gets a signal, which ends the wait for a moment. */
void probe_thread_call_read(int task_fd, struct thread_entry *entry);

/* Reads the start of a small file of the thread, and ends it with '\0'. Returns its
 * length or -errno. `task_fd` is the open directory /proc/self/task. */
ssize_t probe_thread_file_read(int task_fd, pid_t tid, const char *name, char *ret_text,
                               size_t size);

/* Whether a thread of this process has ended. The main thread stays listed as a zombie
 * while others go on; with a negative `task_fd` that is not seen. */
bool probe_thread_ended(int task_fd, pid_t tid);

/* Whether the signal is pending because the thread blocks it; false if that is not
 * known. */
bool probe_thread_blocks(int task_fd, pid_t tid, int signal);

#endif
