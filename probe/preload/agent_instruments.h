/*
 * Starts the agent's instruments: the recorder of the heap, the notes of resources and
 * locks, the stacks of threads. One that cannot be started is said on standard error,
 * and the others go on without it.
 */
#ifndef PROBE_PRELOAD_AGENT_INSTRUMENTS_H
#define PROBE_PRELOAD_AGENT_INSTRUMENTS_H

/* Starts what the settings ask for. Called once, before main. */
void probe_agent_instruments_begin(void);

#endif
