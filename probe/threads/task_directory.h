/*
 * The open directory /proc/self/task, through which the threads are listed. In a
 * program that is not ours it can be lost: closed by the program, or another process's
 * after a fork. Then it is opened again.
 */
#ifndef PROBE_THREADS_TASK_DIRECTORY_H
#define PROBE_THREADS_TASK_DIRECTORY_H

#include <sys/types.h>

/* Opens it. Returns 0 or -errno. */
int probe_task_directory_open(void);

/* The descriptor. Opens it again if the number is now something else. Returns -ENOTSUP
 * if it was never opened, or -errno. */
int probe_task_directory(void);

/* In a forked child: that of the child. Returns 0 or -errno. */
int probe_task_directory_fork_child(void);

/* Calls `each` for every thread in the open directory, from its beginning on, in the
 * kernel's order, the oldest first. Returns 0 or -errno. */
int probe_task_each(int task_fd, void (*each)(pid_t tid, void *argument),
                    void *argument);

#endif
