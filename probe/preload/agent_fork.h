/*
 * The agent around fork. The parent waits for a page that is being made. The child
 * closes its copies of the sockets, and starts a listener and a thread of its own at
 * its first wait (waits.h): most children execute another program before.
 */
#ifndef PROBE_PRELOAD_AGENT_FORK_H
#define PROBE_PRELOAD_AGENT_FORK_H

/* From now on every fork is prepared. Called once. */
void probe_agent_fork_start(void);

#endif
