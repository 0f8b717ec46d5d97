/*
 * A trace as JSON in the Trace Event Format, which Perfetto (ui.perfetto.dev) and
 * Chromium (chrome://tracing) open. Events:
 *
 *   M  the names of the process and of each thread
 *   X  a thread's life, and inside of it the functions that it was in; the innermost
 *      is what it did: "waits in order_await_payment (futex)"
 *   C  figures of the process: memory in use, resident set, threads, descriptors
 *
 * Times are microseconds from the first round. `otherData` says how the trace was
 * taken, and what it cost.
 *
 * Source: Trace Event Format, Google, docs.google.com/document/d/
 * 1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU.
 */
#ifndef PROBE_TRACE_TRACE_FILE_H
#define PROBE_TRACE_TRACE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "probe/figures/figures.h"
#include "probe/trace/trace_recording.h"

/* The figures of one round. */
struct trace_sample {
    int64_t at_us;
    struct figures figures;
};

struct trace {
    struct trace_recording recording;
    struct buffer samples; /* struct trace_sample */
    size_t sample_count;

    unsigned seconds;        /* as asked for */
    int64_t began_ns;        /* clock_now_ns */
    int64_t began_boot_ns;   /* the same moment by CLOCK_BOOTTIME */
    int64_t ended_us;        /* after began_ns */
    int64_t wall_s;          /* when it began, by the calendar */
    int64_t cpu_ns;          /* used by this thread for the rounds */
    uint64_t signals;        /* sent to threads */
    unsigned rounds;         /* taken */
    unsigned failed;         /* rounds that could not be taken: memory or /proc */
    unsigned figures_missed; /* rounds in which the figures could not be read */
    size_t silent;           /* most threads without an answer in a round */
    size_t cut;    /* threads that the last round saw and the recording had no room
                      for */
    pid_t own_tid; /* of the thread that takes the trace */
};

/* Appends the trace. `program` names the process. Returns 0 or -ENOMEM. */
int probe_trace_file_write(const struct trace *trace, const char *program,
                           struct buffer *ret_text);

#endif
