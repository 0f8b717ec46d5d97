/*
 * The signal that asks a thread for its stack, in a program that has signals of its
 * own: it is kept out of the program's masks, and out of what the program sees of them.
 */
#ifndef PROBE_PRELOAD_SIGNAL_CALLS_H
#define PROBE_PRELOAD_SIGNAL_CALLS_H

#include <signal.h>

/* Chooses a real-time signal that the program does not use, and unblocks it. Before
 * that the wrappers pass through. Returns 0, or -EBUSY if no signal is free. */
int probe_signals_start(void);

/* In a forked child: the signal is its own now. */
void probe_signals_fork_child(void);

/* The set without our signal: `set` itself if it does not have it (or is NULL),
 * otherwise a copy in `room`. A set that means our signal in particular makes it move
 * to another number. */
const sigset_t *probe_signals_without(const sigset_t *set, sigset_t *room);

#endif
