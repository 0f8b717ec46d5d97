/*
 * The end of the main thread while the process goes on. The process then ends with its
 * last thread, which the agent's must not be.
 */
#ifndef PROBE_PRELOAD_AGENT_MAIN_END_H
#define PROBE_PRELOAD_AGENT_MAIN_END_H

/* Begins to watch for that end. Called once, in the main thread. */
void probe_agent_main_end_start(void);

/* The calling thread is the main thread of a forked child. */
void probe_agent_main_watch(void);

#endif
