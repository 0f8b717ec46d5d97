/*
 * The open directory /proc/self/task, through which the threads are listed. In a
 * program that is not ours it can be lost: closed by the program, or another process's
 * after a fork. Then it is opened again.
 */
#ifndef PROBE_THREADS_TASK_DIRECTORY_H
#define PROBE_THREADS_TASK_DIRECTORY_H

/* Opens it. Returns 0 or -errno. */
int probe_task_directory_open(void);

/* The descriptor. Opens it again if the number is now something else. Returns -ENOTSUP
 * if it was never opened, or -errno. */
int probe_task_directory(void);

/* In a forked child: that of the child. Returns 0 or -errno. */
int probe_task_directory_fork_child(void);

#endif
