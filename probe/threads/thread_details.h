/*
 * What /proc says about one thread: name, state, times, signal mask. Only threads.c and
 * freeze.c use this.
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

/* Whether the thread has ended and is still listed, as the main thread is while others
 * go on; false if that is not known. */
bool probe_thread_is_over(int task_fd, pid_t tid);

/* Whether the signal is pending because the thread blocks it; false if that is not
 * known. */
bool probe_thread_blocks(int task_fd, pid_t tid, int signal);

#endif
