/*
 * Threads that wait in a call of the C library, and their stacks: read without a
 * signal, because a signal would end many of these waits early.
 *
 *   wait_list.h     the calls; wait_calls.c replaces them
 *   wait_records.h  where each thread waits, and how it is kept there
 *   stack_copy.h    threads that wait in another way, which must get no signal either
 *   signal_calls.h  the signal for threads that do not wait, in a program with signals
 *                   of its own
 */
#ifndef PROBE_PRELOAD_WAITS_H
#define PROBE_PRELOAD_WAITS_H

/* Prepares the wrappers of waiting calls; before that they pass through. Also chooses
 * the signal for the other threads, and makes threads.h take the stacks of waiting
 * threads from here. Call it after probe_threads_start. `first_wait` (may be NULL) is
 * called at the start of a wait that is none of the probe's, outside of signal-unsafe
 * places as far as is known, while probe_waits_wake_up is in force. Returns 0 or
 * -errno. */
int probe_waits_start(void (*first_wait)(void));

/* The next wait of any thread calls `first_wait` once. */
void probe_waits_wake_up(void);

/* In a forked child: forgets the threads that are not there. */
void probe_waits_fork_child(void);

#endif
