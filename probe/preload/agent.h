/*
 * The probe's one thread in a program that is not ours, and its life: started with the
 * program, stopped around calls that a second thread would break, started again in a
 * forked child.
 */
#ifndef PROBE_PRELOAD_AGENT_H
#define PROBE_PRELOAD_AGENT_H

#include <stdbool.h>

#include "probe/preload/agent_work.h"
#include "probe/recorder/visit.h"

/* Stops the thread, and waits until the kernel no longer has it. Calls may be nested;
 * the same number of probe_agent_resume starts it again. Both do nothing in a process
 * without the thread, and keep errno. */
void probe_agent_pause(void);
void probe_agent_resume(void);

/* The thread jumps (longjmp). If it has been in the probe, as a signal handler has
 * interrupted that, it may stay inside, and nothing is noted of it any more: the heap's
 * recorder counts it. */
void probe_agent_jumped(void);

/* Whether the thread is among this process's. It is not, to itself. */
bool probe_agent_has_thread(void);

struct agent_hold {
    enum work_hold work;
    struct probe_visit visit; /* not if it is WORK_NOT_HELD */
};

/* Keeps the thread from its work: waits until it has made the page that it is at, and
 * begins no other until probe_agent_let_go, with what was returned. Keep errno. Quick
 * while no page is being made; do nothing in a signal handler that has interrupted the
 * probe. */
struct agent_hold probe_agent_hold(void);
void probe_agent_let_go(struct agent_hold hold);

/* Stops the thread for good, and says why on standard error. */
void probe_agent_stand_aside(const char *why);

/* Whether the caller is in the process that the agent works for: not in the child of
 * vfork, which shares its parent's memory, nor where fork was not the C library's. May
 * be called from a signal handler; keeps errno. */
bool probe_agent_is_own_process(void);

/* Reads what cannot be reached any more after a chroot. */
void probe_agent_before_chroot(void);

#endif
