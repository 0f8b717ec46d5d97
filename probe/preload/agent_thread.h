/*
 * The agent's thread: it serves the debug port, and looks at its clock for what is due.
 * Call these with the agent's lock held, unless they say otherwise.
 */
#ifndef PROBE_PRELOAD_AGENT_THREAD_H
#define PROBE_PRELOAD_AGENT_THREAD_H

#include <stdbool.h>

/* Starts the thread for the open listener, with every signal blocked: they are for the
 * program's threads. Returns when it has its number: 0 or -errno. */
int probe_agent_thread_start(void);

/* Ends the thread, and waits until the kernel no longer counts it. If that takes longer
 * than the program has patience, the thread is still running, and ends soon. */
void probe_agent_thread_stop(void);

/* Starts the next thread after that one; where it still runs, it is late, and a wait of
 * the program starts the next one. If that is not possible, the agent gives up and says
 * why. */
void probe_agent_thread_start_again(void);

/* At a wait of the program, where the thread is late: starts the next one if it has
 * ended, or leaves that to a later wait. */
void probe_agent_thread_follow(void);

/* Whether the thread is to end soon, so that long work is given up. For any thread. */
bool probe_agent_is_stopping(void);

#endif
