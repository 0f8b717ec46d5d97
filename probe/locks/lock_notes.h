/*
 * The notes of the threads that wait for a lock now, as the threads have left them.
 */
#ifndef PROBE_LOCKS_LOCK_NOTES_H
#define PROBE_LOCKS_LOCK_NOTES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "probe/locks/lock_waits.h"

struct lock_record;

/* A copy of one note. */
struct lock_note {
    const struct lock_record *record;
    uint64_t owner;  /* of the record: each thread that gets it is another one */
    uint64_t number; /* of the wait: each one of the thread's has another one */
    pid_t tid;
    uintptr_t lock;
    uintptr_t condition; /* 0: none */
    enum lock_call call;
    bool timed;
    bool own; /* the thread had that lock already when it began to wait */
    int64_t since_ns;
};

/* Appends the notes (struct lock_note). Takes back the records of ended threads.
 * Returns 0 or -ENOMEM. */
int probe_lock_notes_read(struct buffer *notes);

/* Whether the thread is still in that wait. Whatever was read since the note was, was
 * read while the thread was in that call. */
bool probe_lock_note_stands(const struct lock_note *note);

/* The time by the clock of `since_ns`. */
int64_t probe_lock_now_ns(void);

/* Which thread of this process has this number as the owner of a lock: itself; in a
 * forked child, the number of the thread that has forked stands for its main thread. */
pid_t probe_lock_owner_now(pid_t tid);

#endif
