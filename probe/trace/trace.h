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

#include "base/buffer.h"

/* Takes a trace of `seconds` seconds and appends it as Trace Event JSON. `program`
 * names the process. `wait` waits some milliseconds; it returns 0, or -errno to give
 * up. A trace ends early when its memory is full. Returns 0, -EBUSY while another trace
 * is taken, the error of `wait`, or an error of probe_threads_read if not even one
 * round could be taken. */
int probe_trace_take(unsigned seconds, const char *program,
                     int (*wait)(void *argument, unsigned ms), void *argument,
                     struct buffer *ret_text);

/* In a forked child: none is being recorded there. */
void probe_trace_fork_child(void);

#endif
