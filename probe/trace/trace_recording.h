/*
 * What a trace has recorded: the life of each thread, and spans of time in which it was
 * in the same functions. A thread is seen once in each round; a span lasts while the
 * rounds see the same, and ends at the first that sees something else. The spans of a
 * thread nest, as the calls on its stack do.
 */
#ifndef PROBE_TRACE_TRACE_RECORDING_H
#define PROBE_TRACE_TRACE_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "probe/stacks/hash_table.h"

#define TRACE_NONE UINT32_MAX

/* What a thread is doing in its innermost function. */
enum trace_doing {
    TRACE_CALLS, /* for the outer functions */
    TRACE_RUNS,
    TRACE_WAITS,
    TRACE_STOPPED, /* by a signal or a debugger */
    TRACE_SILENT,  /* it did not answer, so its functions are not known */
    TRACE_UNKNOWN, /* running or waiting: the kernel does not say */
};

struct trace_frame {
    uintptr_t function; /* its first address */
    uintptr_t address;  /* inside the instruction that is executed, or that calls */
};

/* What one round sees of a thread. */
struct trace_sight {
    const struct trace_frame *frames; /* the outermost first: where the thread began */
    size_t depth;
    enum trace_doing doing;
    long call;        /* TRACE_WAITS: the system call; negative: not known */
    uintptr_t callee; /* the library function that the innermost frame has called, 0 if
                         none: pthread_cond_wait */
};

struct trace_span {
    uint32_t thread; /* number of the thread */
    uint32_t parent; /* number of the span around it; TRACE_NONE: the thread's life */
    uintptr_t function; /* 0: not known */
    uintptr_t address;  /* where it was in the function when first seen ... */
    bool moved;         /* ... and whether it was seen elsewhere in it later */
    enum trace_doing doing;
    long call;
    uintptr_t callee;
    int64_t begin_us;
    int64_t end_us; /* -1: not yet */
};

struct trace_thread {
    pid_t tid;
    char name[16];
    uintptr_t start;  /* the function that it began in; 0: not known */
    int64_t born_us;  /* when it began, by the kernel's clock of 10 ms; negative: before
                         the trace */
    int64_t begin_us; /* the same, but not before the trace, nor before a round that did
                         not see it */
    int64_t end_us;   /* the first round that did not see it; -1: it is alive */
    uint64_t stack;   /* hash of the stack that was seen last; the caller's */
    enum trace_doing doing; /* last */
    uint32_t top;           /* its innermost open span; TRACE_NONE: none */
    uint32_t round;         /* in which it was seen last */
};

/* Lives in memory that the caller owns. */
struct trace_recording {
    struct buffer threads; /* struct trace_thread */
    struct buffer spans;   /* struct trace_span; a parent has a lower number */
    struct table index;    /* of living threads, by tid */
    size_t thread_count;
    size_t span_count;
    size_t threads_max;
    size_t spans_max;
    int64_t now_us;  /* of this round, from the trace's beginning */
    int64_t last_us; /* of the round before */
    uint32_t round;
    bool full; /* a maximum is reached: what comes later is not recorded */
    int error; /* -ENOMEM, or 0 */
};

/* Sets up an empty recording with these maxima. */
void probe_recording_init(struct trace_recording *recording, size_t threads_max,
                          size_t spans_max);

/* Begins a round. */
void probe_recording_round(struct trace_recording *recording, int64_t now_us);

/* Whether a thread of this id has been seen and has not ended. */
bool probe_recording_knows(struct trace_recording *recording, pid_t tid);

/* Finds the thread, or adds it, and notes that this round sees it. `born_us` is when it
 * began, as in struct trace_thread; NULL if that was not read again. A thread that
 * began later than the one that is known has the same id, but is another one.
 * Returns the thread, valid until the next call; NULL if the recording is full, or
 * after an error. */
struct trace_thread *probe_recording_see(struct trace_recording *recording, pid_t tid,
                                         const int64_t *born_us);

/* Records what the thread was seen to do. Spans that are as in its last sight go on. */
void probe_recording_add(struct trace_recording *recording, struct trace_thread *thread,
                         const struct trace_sight *sight);

/* Ends the round: the threads that it has not seen have ended. */
void probe_recording_round_end(struct trace_recording *recording);

/* Ends all open spans, at the time of the last round. */
void probe_recording_finish(struct trace_recording *recording);

struct trace_thread *probe_recording_thread(const struct trace_recording *recording,
                                            size_t number);
struct trace_span *probe_recording_span(const struct trace_recording *recording,
                                        size_t number);

void probe_recording_release(struct trace_recording *recording);

#endif
