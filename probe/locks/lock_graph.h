/*
 * Who waits for whom, and who of them never goes on. Each thread waits for one lock at
 * most, which one thread has at most: so from each wait one way leads on, and it ends
 * at a thread that does not wait, or it becomes a cycle.
 */
#ifndef PROBE_LOCKS_LOCK_GRAPH_H
#define PROBE_LOCKS_LOCK_GRAPH_H

#include <stdbool.h>
#include <stddef.h>

enum lock_verdict {
    LOCK_WAITS,          /* nothing is proved */
    LOCK_DEADLOCK,       /* it is one of a cycle */
    LOCK_NEVER_RELEASED, /* the lock's owner has ended */
    LOCK_STUCK,          /* it waits for one of the others */
};

#define LOCK_NO_NEXT ((size_t)-1)

/* One wait. */
struct lock_link {
    bool
        certain; /* it ends only when the lock is released, and who has it is certain */
    bool ended;  /* whoever has it has ended */
    size_t next; /* the wait of the thread that has the lock; LOCK_NO_NEXT: it waits
                    for none */
};

/* Judges all waits. */
void probe_lock_judge(const struct lock_link *links, size_t count,
                      enum lock_verdict *ret_verdicts);

#endif
