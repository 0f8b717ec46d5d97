/*
 * Compares the stack of a sleeping thread with the one in its record. The processor
 * time of another thread is a clock that needs one system call and no file; its clock
 * id is computed from the thread's id as in pthread_getcpuclockid(3)
 * (include/linux/posix-timers.h).
 */
#include "probe/threads/thread_records.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "probe/process/memory_read.h"

/* A stack that spans more words than this is not compared: its thread gets a signal. */
#define SPAN_WORDS_MAX 2048

static struct thread_record *record_at(const struct thread_records *records,
                                       size_t number)
{
    return (struct thread_record *)(void *)records->entries.data + number;
}

static size_t records_count(const struct thread_records *records)
{
    return records->entries.length / sizeof(struct thread_record);
}

/* The processor time of a thread in nanoseconds; -1: not known. */
static int64_t cpu_read(pid_t tid)
{
    clockid_t clock = (clockid_t)(~(unsigned)tid << 3 | 6);
    struct timespec used;
    if (clock_gettime(clock, &used) != 0) {
        return -1;
    }
    return (int64_t)used.tv_sec * CLOCK_NS_PER_SECOND + used.tv_nsec;
}

struct thread_record *probe_thread_records_find(struct thread_records *records,
                                                pid_t tid)
{
    if (records->index.capacity == 0) {
        return NULL;
    }
    const uint32_t *number = probe_table_at(&records->index, (uint64_t)tid);
    return number == NULL || *number == 0 ? NULL : record_at(records, *number - 1);
}

const uintptr_t *probe_thread_records_frames(const struct thread_records *records,
                                             const struct thread_record *record,
                                             size_t *ret_depth)
{
    const struct stack *shape = probe_stacks_at(&records->shapes, record->shape);
    *ret_depth = shape->depth / 2;
    return probe_stacks_frames(&records->shapes, shape);
}

bool probe_thread_records_unchanged(const struct thread_records *records,
                                    struct thread_record *record)
{
    if (record->cpu < 0 || cpu_read(record->tid) != record->cpu) {
        return false;
    }
    if (record->checked) {
        return true; /* it has not run since, so its stack has not changed */
    }
    size_t depth = 0;
    const uintptr_t *frames = probe_thread_records_frames(records, record, &depth);
    const uintptr_t *places = frames + depth;
    if (depth < 2 || places[depth - 1] >= SPAN_WORDS_MAX) {
        return false;
    }
    /* The thread may have ended, and its stack be unmapped. */
    static uintptr_t words[SPAN_WORDS_MAX]; /* the caller holds the lock */
    size_t bytes = (places[depth - 1] + 1) * sizeof(words[0]);
    if (probe_memory_read(record->base, words, bytes) != 0) {
        return false;
    }
    for (size_t i = 1; i < depth; i++) {
        if (words[places[i]] - 1 != frames[i]) {
            return false;
        }
    }
    record->checked = true;
    return true;
}

/* Adds a record with the frames and places of `answer`, its shape. */
static int record_append(struct thread_records *records, struct thread_record *record,
                         const uintptr_t *shape, size_t length)
{
    static const int64_t none[STACK_VALUES] = {0};
    int error = probe_stacks_add(&records->shapes, shape, length, none, &record->shape);
    if (error == 0) {
        buffer_append(&records->entries, record, sizeof(*record));
        error = records->entries.error;
    }
    return error;
}

/* Whether the thread has been asleep with the same stack since its last record. Then it
 * has gone to sleep once more, after our signal woke it, and never else. */
static bool still_waits(const struct thread_answer *answer,
                        const struct thread_record *last,
                        const struct thread_records *last_records)
{
    size_t depth = 0;
    const uintptr_t *frames = probe_thread_records_frames(last_records, last, &depth);
    uint64_t sleeps = (uint64_t)answer->switches - (uint64_t)last->switches;
    return depth == answer->depth && sleeps <= 1 &&
           memcmp(frames, answer->frames, depth * sizeof(*frames)) == 0;
}

int probe_thread_records_add(struct thread_records *records, pid_t tid,
                             const struct thread_answer *answer,
                             const struct thread_record *last,
                             const struct thread_records *last_records, int64_t now,
                             int64_t waited_ns)
{
    struct thread_record record = {
        .tid = tid,
        .switches = answer->switches,
        .since = waited_ns >= 0 ? now - waited_ns : now,
        .cpu = -1,
        .base = answer->base,
    };
    if (last != NULL && still_waits(answer, last, last_records)) {
        record.since = last->since;
    }
    uintptr_t shape[2 * THREADS_DEPTH_MAX];
    memcpy(shape, answer->frames, answer->depth * sizeof(shape[0]));
    for (size_t i = 0; i < answer->depth; i++) {
        /* An unknown place gets a value outside of the span. */
        shape[answer->depth + i] =
            answer->placed == answer->depth ? answer->places[i] : SPAN_WORDS_MAX;
    }
    return record_append(records, &record, shape, 2 * (size_t)answer->depth);
}

int probe_thread_records_keep(struct thread_records *records,
                              const struct thread_records *from,
                              const struct thread_record *record)
{
    struct thread_record copy = *record;
    size_t depth = 0;
    const uintptr_t *frames = probe_thread_records_frames(from, record, &depth);
    return record_append(records, &copy, frames, 2 * depth);
}

struct thread_record *probe_thread_records_last(struct thread_records *records)
{
    return record_at(records, records_count(records) - 1);
}

int probe_thread_records_settle(struct thread_records *records)
{
    for (size_t i = 0; i < records_count(records); i++) {
        struct thread_record *record = record_at(records, i);
        uint32_t *number = probe_table_at(&records->index, (uint64_t)record->tid);
        if (number == NULL) {
            return -ENOMEM;
        }
        *number = (uint32_t)i + 1;
        if (record->cpu < 0) {
            record->cpu = cpu_read(record->tid);
        }
    }
    return 0;
}

void probe_thread_records_release(struct thread_records *records)
{
    buffer_release(&records->entries);
    probe_table_release(&records->index);
    probe_stacks_release(&records->shapes);
}
