/*
 * What is remembered of each thread from one round of questions to the next: its stack,
 * since when it waits, and how much processor time it had used. A thread that has not
 * run since need not be woken to be asked again. threads.c alone uses this, under its
 * lock.
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

/* A thread's answer. */
struct thread_answer {
    uint32_t depth;
    uint32_t placed;  /* of so many frames it is known where on the stack they stand */
    uintptr_t base;   /* where frames' places are counted from */
    int64_t switches; /* how often the thread has gone to sleep */
    uintptr_t frames[THREADS_DEPTH_MAX];
    uint16_t places[THREADS_DEPTH_MAX]; /* of the return address, in words from base */
};

struct thread_record {
    pid_t tid;
    int64_t switches;
    int64_t since; /* it waits, of CLOCK_MONOTONIC, in nanoseconds */
    int64_t cpu;   /* processor time after its answer, in nanoseconds; -1: not known */
    uintptr_t base;
    size_t shape; /* number in `shapes` */
    bool checked; /* its stack was looked at, with this processor time */
};

/* { 0 } is empty. */
struct thread_records {
    struct buffer entries; /* struct thread_record */
    struct table index;    /* by tid */
    /* Frames, then as many places: thousands of threads share a few of these. */
    struct stacks shapes;
};

/* The record of a thread, or NULL. */
struct thread_record *probe_thread_records_find(struct thread_records *records,
                                                pid_t tid);

/* The record's frames; their number goes to ret_depth. */
const uintptr_t *probe_thread_records_frames(const struct thread_records *records,
                                             const struct thread_record *record,
                                             size_t *ret_depth);

/* Whether the thread still waits where it waited when it answered: it has used no
 * processor time since that was noted, and every return address of its stack still
 * stands in its place. (Processor time is noted a moment after the answer. A thread
 * that was on its way to elsewhere in that moment has made another call by now, and its
 * return address differs.) False also where that can't be told. */
bool probe_thread_records_unchanged(const struct thread_records *records,
                                    struct thread_record *record);

/* Adds the record of a thread that has answered. `waited_ns` (-1: not known) is how
 * long it had waited by the kernel's account; `last` (may be NULL) is its record from
 * the round before. Returns 0 or -ENOMEM. */
int probe_thread_records_add(struct thread_records *records, pid_t tid,
                             const struct thread_answer *answer,
                             const struct thread_record *last,
                             const struct thread_records *last_records, int64_t now,
                             int64_t waited_ns);

/* Adds `record` of another set as it is. Returns 0 or -ENOMEM. */
int probe_thread_records_keep(struct thread_records *records,
                              const struct thread_records *from,
                              const struct thread_record *record);

/* The record that was added last. */
struct thread_record *probe_thread_records_last(struct thread_records *records);

/* Notes the processor time of all whose is not known yet, and makes them findable.
 * Returns 0 or -ENOMEM. */
int probe_thread_records_settle(struct thread_records *records);

void probe_thread_records_release(struct thread_records *records);

#endif
