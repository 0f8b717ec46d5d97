/*
 * The timeline: what every thread does during some seconds, and how the process grows
 * meanwhile. It is sampled: ten times a second, a round asks the threads that have run
 * since the last one (probe/threads/threads.h), and reads the figures.
 *
 *   probe_trace_take    rounds, and how many the process can afford
 *        |  what a round sees of a thread   trace_frames.h
 *        v
 *   trace_recording.h   lives of threads, spans of time in the same functions
 *        |
 *        v
 *   trace_file.h        the recording as Trace Event JSON
 *
 * The memory is that of buffers (base/buffer.h) and bounded, so the heap profile does
 * not see it.
 */
#ifndef PROBE_TRACE_TRACE_H
#define PROBE_TRACE_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "probe/figures/figures.h"
#include "probe/trace/trace_recording.h"

#define TRACE_RATE_HZ 10 /* at most */
#define TRACE_SHARE_PERCENT                                                            \
    4 /* of one processor: rounds that would take more are left                        \
         out */

/* The figures of one round. */
struct trace_sample {
    int64_t at_us;
    struct figures figures;
};

struct trace {
    struct trace_recording recording;
    struct buffer samples; /* struct trace_sample */
    size_t sample_count;

    unsigned seconds; /* as asked for */
    int64_t began_ns; /* clock_now_ns */
    int64_t ended_us; /* after began_ns */
    int64_t wall_s;   /* when it began, by the calendar */
    int64_t cpu_ns;   /* used by this thread for the rounds */
    uint64_t signals; /* sent to threads */
    unsigned rounds;  /* taken */
    unsigned failed;  /* rounds that could not be taken: memory or /proc */
    size_t silent;    /* most threads without an answer in a round */
    size_t cut;       /* threads that the last round saw and the recording had no room
                         for */
    pid_t own_tid;    /* of the thread that takes the trace */
};

/* The processor time of one signal, in nanoseconds: the thread wakes up, its handler
 * answers, it goes back to sleep. */
#define TRACE_SIGNAL_NS 25000

/* How long a round that used `cpu_ns` of processor time must last, so that the rounds
 * stay below TRACE_SHARE_PERCENT. In nanoseconds; at least 1 / TRACE_RATE_HZ. */
int64_t probe_trace_interval(int64_t cpu_ns);

/* Takes a trace of `seconds` seconds and appends it as Trace Event JSON. `program`
 * names the process. `wait` waits some milliseconds; it returns 0, or -errno to give
 * up. A trace ends early when its memory is full. Returns 0, -EBUSY while another trace
 * is taken, the error of `wait`, or an error of probe_threads_read if not even one
 * round could be taken. */
int probe_trace_take(unsigned seconds, const char *program,
                     int (*wait)(void *argument, unsigned ms), void *argument,
                     struct buffer *ret_text);

#endif
