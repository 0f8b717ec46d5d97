/*
 * The open spans of a thread are a chain: each knows the one around it, and the thread
 * knows the innermost. A new sight is compared with the chain from outside to inside.
 */
#include "probe/trace/trace_recording.h"

#include <errno.h>

#include "probe/threads/thread_entry.h"

/* All functions of a stack, and what the innermost is doing. */
#define LEVELS_MAX (THREADS_DEPTH_MAX + 1)

void probe_recording_init(struct trace_recording *recording, size_t threads_max,
                          size_t spans_max)
{
    *recording = (struct trace_recording){
        .threads_max = threads_max,
        .spans_max = spans_max,
    };
}

void probe_recording_round(struct trace_recording *recording, int64_t now_us)
{
    recording->last_us = recording->now_us;
    recording->now_us = now_us;
    recording->round++;
}

struct trace_thread *probe_recording_thread(const struct trace_recording *recording,
                                            size_t number)
{
    return (struct trace_thread *)(void *)recording->threads.data + number;
}

struct trace_span *probe_recording_span(const struct trace_recording *recording,
                                        size_t number)
{
    return (struct trace_span *)(void *)recording->spans.data + number;
}

/* Ends the open spans of a thread at `end_us`, from the innermost out to the span
 * `last`, which stays open; TRACE_NONE ends all. */
static void spans_close(struct trace_recording *recording, struct trace_thread *thread,
                        uint32_t last, int64_t end_us)
{
    while (thread->top != last) {
        struct trace_span *span = probe_recording_span(recording, thread->top);
        span->end_us = end_us;
        thread->top = span->parent;
    }
}

static void thread_end(struct trace_recording *recording, struct trace_thread *thread,
                       int64_t end_us)
{
    spans_close(recording, thread, TRACE_NONE, end_us);
    thread->end_us = end_us;
}

/* Adds a thread. Returns its number, or TRACE_NONE. */
static uint32_t thread_add(struct trace_recording *recording, pid_t tid,
                           const int64_t *born_us)
{
    if (recording->thread_count == recording->threads_max) {
        recording->full = true;
        return TRACE_NONE;
    }
    struct trace_thread thread = {
        .tid = tid,
        .born_us = born_us == NULL ? recording->now_us : *born_us,
        .end_us = -1,
        .top = TRACE_NONE,
    };
    /* The round before has not seen it, and now it is there. */
    thread.begin_us = thread.born_us;
    if (thread.begin_us < recording->last_us) {
        thread.begin_us = recording->last_us;
    }
    if (thread.begin_us > recording->now_us) {
        thread.begin_us = recording->now_us;
    }
    buffer_append(&recording->threads, &thread, sizeof(thread));
    if (recording->threads.error != 0) {
        recording->error = recording->threads.error;
        return TRACE_NONE;
    }
    return (uint32_t)recording->thread_count++;
}

bool probe_recording_knows(struct trace_recording *recording, pid_t tid)
{
    const uint32_t *place = probe_table_at(&recording->index, (uint64_t)tid);
    return place != NULL && *place != 0 &&
           probe_recording_thread(recording, *place - 1)->end_us < 0;
}

struct trace_thread *probe_recording_see(struct trace_recording *recording, pid_t tid,
                                         const int64_t *born_us)
{
    /* The table has numbers from 1 on. */
    uint32_t *place = probe_table_at(&recording->index, (uint64_t)tid);
    if (place == NULL) {
        recording->error = -ENOMEM;
        return NULL;
    }
    uint32_t before = *place;
    if (before != 0) {
        struct trace_thread *known = probe_recording_thread(recording, before - 1);
        bool other = born_us != NULL && *born_us > known->born_us;
        if (known->end_us < 0 && !other) {
            known->round = recording->round;
            return known;
        }
    }
    uint32_t number = thread_add(recording, tid, born_us);
    if (number == TRACE_NONE) {
        return NULL;
    }
    *place = number + 1;
    struct trace_thread *thread = probe_recording_thread(recording, number);
    if (before != 0) {
        /* If no round has missed the one before, it has ended by now. */
        struct trace_thread *known = probe_recording_thread(recording, before - 1);
        if (known->end_us < 0) {
            thread_end(recording, known, thread->begin_us);
        }
    }
    thread->round = recording->round;
    return thread;
}

/* What the open span of a level should be, by this sight. */
static struct trace_span span_of(const struct trace_sight *sight, size_t level)
{
    struct trace_span span = {.end_us = -1};
    size_t frame = level < sight->depth ? level : sight->depth - 1;
    if (sight->depth > 0) {
        span.function = sight->frames[frame].function;
        span.address = sight->frames[frame].address;
    }
    if (level == sight->depth) {
        span.doing = sight->doing;
        span.call = sight->call;
        span.callee = sight->callee;
    }
    return span;
}

/* Whether the open span goes on, by this sight. */
static bool span_continues(const struct trace_span *open, const struct trace_span *seen)
{
    return open->function == seen->function && open->doing == seen->doing &&
           open->call == seen->call && open->callee == seen->callee;
}

/* Opens a span inside of the thread's innermost one. */
static void span_open(struct trace_recording *recording, struct trace_thread *thread,
                      struct trace_span span)
{
    if (recording->span_count == recording->spans_max) {
        recording->full = true;
        return;
    }
    const struct trace_thread *first = probe_recording_thread(recording, 0);
    span.thread = (uint32_t)(thread - first);
    span.parent = thread->top;
    span.begin_us = recording->now_us;
    buffer_append(&recording->spans, &span, sizeof(span));
    if (recording->spans.error != 0) {
        recording->error = recording->spans.error;
        return;
    }
    thread->top = (uint32_t)recording->span_count++;
}

/* Writes the numbers of the open spans to `chain`, the outermost first. Returns how
 * many there are. */
static size_t spans_list(const struct trace_recording *recording,
                         const struct trace_thread *thread, uint32_t *chain)
{
    size_t count = 0;
    for (uint32_t at = thread->top; at != TRACE_NONE;
         at = probe_recording_span(recording, at)->parent) {
        chain[count++] = at;
    }
    for (size_t i = 0; i < count / 2; i++) {
        uint32_t number = chain[i];
        chain[i] = chain[count - 1 - i];
        chain[count - 1 - i] = number;
    }
    return count;
}

void probe_recording_add(struct trace_recording *recording, struct trace_thread *thread,
                         const struct trace_sight *sight)
{
    if (thread->start == 0 && sight->depth > 0) {
        thread->start = sight->frames[0].function;
    }
    /* The thread's life has the name of the first function, so it gets no span. */
    size_t level = sight->depth > 0 && sight->frames[0].function == thread->start;
    uint32_t chain[LEVELS_MAX];
    size_t open = spans_list(recording, thread, chain);
    uint32_t last = TRACE_NONE;
    for (size_t i = 0; i < open && level <= sight->depth; i++, level++) {
        struct trace_span *span = probe_recording_span(recording, chain[i]);
        struct trace_span seen = span_of(sight, level);
        if (!span_continues(span, &seen)) {
            break;
        }
        span->moved |= span->address != seen.address;
        last = chain[i];
    }
    spans_close(recording, thread, last, recording->now_us);
    for (; level <= sight->depth; level++) {
        span_open(recording, thread, span_of(sight, level));
    }
    thread->doing = sight->doing;
}

void probe_recording_round_end(struct trace_recording *recording)
{
    for (size_t i = 0; i < recording->thread_count; i++) {
        struct trace_thread *thread = probe_recording_thread(recording, i);
        if (thread->end_us < 0 && thread->round != recording->round) {
            thread_end(recording, thread, recording->now_us);
        }
    }
}

void probe_recording_finish(struct trace_recording *recording)
{
    for (size_t i = 0; i < recording->thread_count; i++) {
        spans_close(recording, probe_recording_thread(recording, i), TRACE_NONE,
                    recording->now_us);
    }
}

void probe_recording_release(struct trace_recording *recording)
{
    buffer_release(&recording->threads);
    buffer_release(&recording->spans);
    probe_table_release(&recording->index);
}
