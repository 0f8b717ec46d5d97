/*
 * What is kept about each thread from one round to the next: its stack, since when it
 * waits, and its processor time. A thread that has not run since then need not be woken
 * by a signal again. Only threads.c uses this, under its lock.
 */
#ifndef PROBE_THREADS_THREAD_RECORDS_H
#define PROBE_THREADS_THREAD_RECORDS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "probe/stacks/hash_table.h"
#include "probe/stacks/stacks.h"
#include "probe/threads/thread_entry.h"

/* The `switches` of a held thread, in its wait with this number: larger than any count
 * of how often a thread has gone to sleep; and counted by twos, because two waits in a
 * row are not the same wait. */
static inline int64_t probe_thread_switches(uint64_t wait)
{
    return (int64_t)((UINT64_C(1) << 62) + 2 * wait);
}

/* The stack that a thread's signal handler has taken, or that was read of a held one.
 */
struct thread_answer {
    uint32_t depth;
    uint32_t placed;  /* how many of the first frames have a known place */
    uintptr_t base;   /* address that the places are counted from */
    int64_t switches; /* how often the thread has gone to sleep; or see above */
    uintptr_t frames[THREADS_DEPTH_MAX];
    uint16_t places[THREADS_DEPTH_MAX]; /* where the return address is, in words from
                                           base */
};

struct thread_record {
    pid_t tid;
    int64_t switches;
    int64_t since; /* when its wait began: CLOCK_MONOTONIC, nanoseconds */
    int64_t cpu;   /* processor time after its answer, in nanoseconds; -1: not known */
    uintptr_t base;
    size_t shape; /* number in `shapes` */
    bool checked; /* its stack was compared when it had this processor time */
};

/* The records of one round. { 0 } is empty. */
struct thread_records {
    struct buffer entries; /* struct thread_record */
    struct table index;    /* by tid */
    /* A shape is the frames, then as many places. Thousands of threads share a few
     * shapes. */
    struct stacks shapes;
};

/* The record of a thread, or NULL. */
struct thread_record *probe_thread_records_find(struct thread_records *records,
                                                pid_t tid);

/* The record's frames; writes their number to ret_depth. */
const uintptr_t *probe_thread_records_frames(const struct thread_records *records,
                                             const struct thread_record *record,
                                             size_t *ret_depth);

/* Whether the thread still waits where it waited when it answered: it has used no
 * processor time since its record, and every return address on its stack is still in
 * its place. Both are checked because the processor time is read shortly after the
 * answer: a thread that went on in between has other return addresses now. Returns
 * false if this is not known. */
bool probe_thread_records_unchanged(const struct thread_records *records,
                                    struct thread_record *record);

/* Adds the record of a thread that has answered. `waited_ns` is how long it had waited
 * according to the kernel (-1: not known). `last` is its record of the round before, in
 * `last_records` (may be NULL). Returns 0 or -ENOMEM. */
int probe_thread_records_add(struct thread_records *records, pid_t tid,
                             const struct thread_answer *answer,
                             const struct thread_record *last,
                             const struct thread_records *last_records, int64_t now,
                             int64_t waited_ns);

/* Adds a copy of `record`, which belongs to `from`. Returns 0 or -ENOMEM. */
int probe_thread_records_keep(struct thread_records *records,
                              const struct thread_records *from,
                              const struct thread_record *record);

/* The record that was added last; valid until the next one is added. */
struct thread_record *probe_thread_records_last(struct thread_records *records);

/* Ends the adding: reads the processor times that are missing and builds the index.
 * Returns 0 or -ENOMEM. */
int probe_thread_records_settle(struct thread_records *records);

void probe_thread_records_release(struct thread_records *records);

#endif
