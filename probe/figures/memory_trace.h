/*
 * A line about this process's memory on standard error every few seconds, as Go writes
 * one for every collection with GODEBUG=gctrace=1. See memory_line.h for the line.
 *
 * A thread of its own writes the lines; it allocates nothing. If standard error takes
 * no line at the moment (a pipe that is full, a terminal that was stopped), the line is
 * left out, and the next one covers the longer time: nothing waits for a reader.
 */
#ifndef PROBE_FIGURES_MEMORY_TRACE_H
#define PROBE_FIGURES_MEMORY_TRACE_H

#include <stdint.h>

#define MEMORY_TRACE_SECONDS_MAX 3600

/* Starts the lines: one every `seconds` seconds (1 to MEMORY_TRACE_SECONDS_MAX), the
 * first one after the first `seconds`. The caller keeps `name`, which each line begins
 * with, until probe_memory_trace_stop. Call it when the heap is already counted, and
 * not twice without a stop. Returns 0 or -errno. */
int probe_memory_trace_start(const char *name, unsigned seconds);

/* Ends the lines, and the thread: at once, unless it is in the middle of a write that
 * blocks. After half a second of that the thread is left to the end of the process.
 * Does nothing if the lines were not started. */
void probe_memory_trace_stop(void);

/* The same without a thread, for a caller that has one: begins the lines, and writes
 * one when it is due. probe_memory_trace_tick gets the time now, and returns when the
 * next line is due (clock_now_ns); 0 if there are to be none. */
int probe_memory_trace_begin(const char *name, unsigned seconds);
int64_t probe_memory_trace_tick(int64_t now_ns);

#endif
