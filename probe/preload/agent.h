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
 * without the thread, and keep errno. */
void probe_agent_pause(void);
void probe_agent_resume(void);

/* Whether the thread is among this process's. It is not, to itself. */
bool probe_agent_has_thread(void);

/* Stops the thread for good, and says why on standard error. */
void probe_agent_stand_aside(const char *why);

/* Notes that the calling thread ends; if it is the main one, the agent ends the process
 * when no other thread is left, as the C library would without the agent. */
void probe_agent_note_thread_exit(void);

/* Reads what cannot be reached any more after a chroot. */
void probe_agent_before_chroot(void);

#endif
