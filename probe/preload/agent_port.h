/*
 * The agent's debug port: a listener at a free port or at a Unix socket, and the thread
 * that serves it.
 */
#ifndef PROBE_PRELOAD_AGENT_PORT_H
#define PROBE_PRELOAD_AGENT_PORT_H

/* Opens the listener, starts the thread, and says the address, or why there is none.
 * Call it with the agent's lock held. */
void probe_agent_port_open(void);

#endif
