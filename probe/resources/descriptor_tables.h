/*
 * Which table of descriptors a thread has. Most processes have one; unshare(2) and
 * close_range(2) give the calling thread one of its own, and threads that it starts
 * from then on have that. The kernel lists the main thread's: what the others do with
 * theirs is not noted. All functions keep errno and may be called in a signal handler.
 */
#ifndef PROBE_RESOURCES_DESCRIPTOR_TABLES_H
#define PROBE_RESOURCES_DESCRIPTOR_TABLES_H

#include <stdbool.h>

/* The number of the calling thread's table. */
unsigned probe_fd_table(void);

/* The calling thread, which has just begun, has the table of the one that started it.
 */
void probe_fd_table_begin(unsigned table);

/* Whether the calling thread's table is the one that the kernel lists. */
bool probe_fd_table_is_listed(void);

/* The calling thread leaves its table for one of its own: to be called before. Returns
 * the number of the old one; the second function goes back to it, if the call has
 * failed. */
unsigned probe_fd_table_leave(void);
void probe_fd_table_stay(unsigned table);

/* In a forked child, which has one table. */
void probe_fd_table_fork_child(void);

#endif
