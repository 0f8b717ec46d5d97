/*
 * The open directory /proc/self/task, through which the threads are listed. In a
 * program that is not ours it can be lost: closed by the program, or another process's
 * after a fork. Then it is opened again, by way of /proc, which is kept open because
 * the program may have changed its root.
 */
#ifndef PROBE_THREADS_TASK_DIRECTORY_H
#define PROBE_THREADS_TASK_DIRECTORY_H

#include <stdbool.h>

/* Opens it. Returns 0 or -errno. */
int probe_task_directory_open(void);

/* Gives it a number from `fd_from` on, if one is free, and keeps /proc open too. */
void probe_task_directory_settle(int fd_from);

/* The descriptor. Opens it again if the number is now something else. Returns -ENOTSUP
 * if it was never opened, or -errno. */
int probe_task_directory(void);

/* In a forked child: that of the child. Returns 0 or -errno. */
int probe_task_directory_fork_child(void);

bool probe_task_directory_owns(int fd);

#endif
