/*
 * System calls by number, as syscall(2) makes them: which of them open, copy or close
 * descriptors, and which take mappings away.
 */
#ifndef PROBE_CALLS_NUMBER_NOTES_H
#define PROBE_CALLS_NUMBER_NOTES_H

#include <stdint.h>

/* Before the call, with its arguments: forgets what it will close. Returns what
 * probe_number_ended wants. */
uint64_t probe_number_begins(long number, const long arguments[6]);

/* After it: notes what it has opened. `frame` as for probe_fd_made. Keeps errno. */
void probe_number_ended(long number, const long arguments[6], long result,
                        uint64_t taken, const void *frame);

#endif
