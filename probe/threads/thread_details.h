/*
 * What /proc tells of one thread: name, state, ages, signal mask. threads.c alone uses
 * it.
 */
#ifndef PROBE_THREADS_THREAD_DETAILS_H
#define PROBE_THREADS_THREAD_DETAILS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe/threads/thread_entry.h"

/* The clocks that /proc counts in, read at one moment. */
struct thread_clock {
    int64_t boot_ns;      /* CLOCK_BOOTTIME */
    double exec_start_ms; /* of the asking thread, which runs now; 0: not known */
};

/* `task_fd` is the open directory /proc/self/task. */
void probe_thread_clock_read(int task_fd, struct thread_clock *ret_clock);

/* Fills in name, state and lifetime, and waited_ns if the kernel tells when the thread
 * last ran. What can't be read stays as it was. */
void probe_thread_details_read(int task_fd, const struct thread_clock *clock,
                               struct thread_entry *entry);

/* Whether the signal waits because the thread blocks it; false if that can't be told.
 */
bool probe_thread_blocks(int task_fd, pid_t tid, int signal);

#endif
