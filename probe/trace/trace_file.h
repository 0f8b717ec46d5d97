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

#include "base/buffer.h"
#include "probe/trace/trace.h"

/* Appends the trace. `program` names the process. Returns 0 or -ENOMEM. */
int probe_trace_file_write(const struct trace *trace, const char *program,
                           struct buffer *ret_text);

#endif
