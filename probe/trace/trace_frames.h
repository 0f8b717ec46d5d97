/*
 * From the addresses of a stack to the functions that a trace shows: those of the
 * program and its libraries. The functions of the C library at both ends are left out:
 * there every thread begins and waits in the same few.
 */
#ifndef PROBE_TRACE_TRACE_FRAMES_H
#define PROBE_TRACE_TRACE_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#include "probe/trace/trace_recording.h"

/* Fills in frames, depth and callee of the sight. `stack` is a stack as in
 * probe/stacks/stacks.h, the innermost frame first, at most THREADS_DEPTH_MAX deep.
 * `frames` has room for as many; the sight points there. */
void probe_trace_frames(const uintptr_t *stack, size_t depth,
                        struct trace_frame *frames, struct trace_sight *sight);

#endif
