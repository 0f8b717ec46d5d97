/*
 * Who waits for which lock at one moment, who has it, and which threads never go on.
 *
 * The proof: all notes are read, then what the kernel says of these threads, then the
 * locks, then all notes again. A note that is still the same says that its thread was
 * in that call all the time. So it has released no lock meanwhile; and if it had a lock
 * then, it got it before. Threads in such calls that wait for each other wait for ever.
 * So does one that waits for a lock whose owner had ended when the lock still named it.
 * This counts on what POSIX demands: that nobody but its owner unlocks a mutex, and
 * that the wait for a condition does not return without the mutex: so it is a wait for
 * the mutex from its start on. Nothing is proved by a lock in memory that other
 * processes may have too (lock_memory.h).
 */
#ifndef PROBE_LOCKS_LOCK_VIEW_H
#define PROBE_LOCKS_LOCK_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "probe/locks/lock_futex.h"
#include "probe/locks/lock_graph.h"
#include "probe/locks/lock_notes.h"
#include "probe/locks/lock_state.h"
#include "probe/threads/threads.h"

enum lock_holder {
    LOCK_HELD_BY_THREAD,
    LOCK_HELD_BY_ENDED,
    LOCK_HELD_BY_OTHER_PROCESS,
    LOCK_HELD_BY_ANY_PROCESS, /* this one, or another one that has the same number */
    LOCK_HELD_BY_READERS,
    LOCK_HELD_BY_NOBODY,
    LOCK_HELD_BY_UNKNOWN,
};

/* A lock that somebody waits for. */
struct lock_held {
    uintptr_t address;
    bool is_rwlock;
    bool shared; /* it is in memory that other processes may have too */
    struct lock_state state;
    enum lock_holder holder;
    pid_t tid; /* of its owner; 0: it has none, or it is not known */

    /* Filled in by probe_lock_view_again: */
    bool never_released; /* somebody waits for it, and its owner has ended */
    bool holder_shown;   /* its owner is to be shown: it still has the lock, waits for
                            none itself, and is not shown with an earlier one */
};

/* A thread that waits. */
struct lock_waiter {
    struct lock_note note;
    enum lock_seen seen;
    enum lock_verdict verdict;
    int64_t waited_ns;
    size_t lock; /* its number in the view */
    size_t next; /* the number of its owner's wait; LOCK_NO_NEXT */
    bool over;   /* filled in by probe_lock_view_again: the wait has ended by now */
};

/* Lives in memory that the caller owns; { 0 } is empty. */
struct lock_view {
    struct buffer locks;   /* struct lock_held */
    struct buffer waiters; /* struct lock_waiter, lowest thread number first */
    size_t lock_count;
    size_t waiter_count;
    bool kernel_asked; /* false: condition variables are not judged */
    struct threads threads;
    struct buffer by_tid; /* numbers of the threads, lowest tid first */
};

/* Why it cannot be told who waits for which lock: a static text. NULL: it can. */
const char *probe_lock_view_missing(void);

/* Looks. Returns 0 or -errno; then there is nothing to release. */
int probe_lock_view_take(struct lock_view *ret_view);

/* Takes the stacks of all threads, and looks again: a wait that has ended by now has no
 * stack. Returns 0 or -errno. */
int probe_lock_view_stacks(struct lock_view *view);

/* For a caller that has put the threads into the view: looks again. Returns 0 or
 * -ENOMEM. */
int probe_lock_view_again(struct lock_view *view);

void probe_lock_view_release(struct lock_view *view);

static inline struct lock_held *probe_lock_at(const struct lock_view *view,
                                              size_t number)
{
    return (struct lock_held *)(void *)view->locks.data + number;
}

static inline struct lock_waiter *probe_lock_waiter_at(const struct lock_view *view,
                                                       size_t number)
{
    return (struct lock_waiter *)(void *)view->waiters.data + number;
}

/* The wait of this thread; NULL: it does not wait. */
const struct lock_waiter *probe_lock_waiter_of(const struct lock_view *view, pid_t tid);

/* The thread, if its stack was taken; NULL. */
const struct thread_entry *probe_lock_thread_of(const struct lock_view *view,
                                                pid_t tid);

/* Whether the wait can end by itself. */
bool probe_lock_waiter_is_timed(const struct lock_waiter *waiter);

#endif
