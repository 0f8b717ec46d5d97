/*
 * Reads what a view of locks is made of, in the order that the proof needs: the notes,
 * where the kernel sees the threads, the locks, which owners have ended, the locks
 * again. The caller then looks at the notes again.
 */
#ifndef PROBE_LOCKS_LOCK_READ_H
#define PROBE_LOCKS_LOCK_READ_H

#include "probe/locks/lock_view.h"

/* Fills in an empty view, without verdicts. `task_fd` is the open directory
 * /proc/self/task; negative: there is none. Returns 0 or -ENOMEM. */
int probe_lock_view_read(struct lock_view *view, int task_fd);

/* The order of the waiters, for bsearch: by the thread's number. */
int probe_lock_waiter_order(const void *one, const void *other);

#endif
