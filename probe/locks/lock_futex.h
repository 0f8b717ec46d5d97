/*
 * What the kernel says of a thread that waits for a lock. Source: proc(5),
 * /proc/PID/syscall.
 */
#ifndef PROBE_LOCKS_LOCK_FUTEX_H
#define PROBE_LOCKS_LOCK_FUTEX_H

#include <stdint.h>
#include <sys/types.h>

#include "base/range.h"

enum lock_seen {
    LOCK_SEEN_THERE,     /* in futex(2), at a word of the lock */
    LOCK_SEEN_CONDITION, /* the same of the condition variable */
    LOCK_SEEN_ELSE,      /* in another call, or at another word */
    LOCK_SEEN_RUNNING,   /* in no call: it is about to wait, or was just woken */
    LOCK_SEEN_GONE,      /* there is no such thread */
    LOCK_SEEN_UNKNOWN,   /* the kernel does not say */
};

/* Looks where the thread is. `task_fd` is the open directory /proc/self/task; negative:
 * there is none. */
enum lock_seen probe_lock_seen(int task_fd, pid_t tid, struct range lock);

/* Parses the file's text. */
enum lock_seen probe_lock_seen_in(const char *text, struct range lock);

#endif
