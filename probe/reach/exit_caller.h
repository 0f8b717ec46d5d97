/*
 * The thread that ends the program, as it was before it called exit. Its frames since
 * then, of exit and of the probe, lie where earlier calls had theirs, and have gaps: a
 * pointer that is left in one would hold a block that is lost.
 */
#ifndef PROBE_REACH_EXIT_CALLER_H
#define PROBE_REACH_EXIT_CALLER_H

#include "probe/reach/process_parts.h"
#include "probe/threads/thread_park.h"

/* Finds the calling thread's innermost frame that is neither the C library's nor the
 * probe's, and writes where its stack began and which registers it had. If there is no
 * such frame, `thread` stays as it is. Only `sp` and `registers` are written. */
void probe_exit_caller_find(const struct process_parts *parts,
                            struct parked_thread *thread);

#endif
