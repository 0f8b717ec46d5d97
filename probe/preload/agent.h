/*
 * The probe's one thread in a program that is not ours, and its life: started with the
 * program, stopped around calls that a second thread would break, started again in a
 * forked child.
 */
#ifndef PROBE_PRELOAD_AGENT_H
#define PROBE_PRELOAD_AGENT_H

#include <stdbool.h>

/* Whether the probe works in this process. If not, every wrapper only passes through:
 * the program is not one of those that were asked for, or something is missing. */
extern bool probe_agent_active;

/* Stops the thread, and waits until the kernel no longer has it. Calls may be nested;
 * the same number of probe_agent_resume starts it again. Both do nothing in a process
 * without the thread. They keep errno. */
void probe_agent_pause(void);
void probe_agent_resume(void);

/* Whether the descriptor is the probe's: the program may not close it. */
bool probe_agent_owns(int fd);

#endif
