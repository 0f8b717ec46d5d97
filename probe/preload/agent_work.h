/*
 * The agent's thread works, or it waits for a request. What the program must not do in
 * the middle of that work is kept apart from it here: either all work is kept off by a
 * lock, as around fork; or, around a short call, it does not begin while calls are
 * counted. Two such calls need not wait for each other, nor for a fork: a signal
 * handler makes them, too, and the thread that it has interrupted may hold what the
 * forking thread waits for.
 */
#ifndef PROBE_PRELOAD_AGENT_WORK_H
#define PROBE_PRELOAD_AGENT_WORK_H

#include <stdbool.h>
#include <time.h>

/* In the agent's thread, around its work. */
void probe_work_begin(void);
void probe_work_end(void);

/* Waits until no work is being done, and keeps it off. Returns false if that takes
 * longer than the program has patience. */
bool probe_work_take(void);
void probe_work_give(void);

/* The same for a short call, which waits for nothing but work. */
enum work_hold {
    WORK_NOT_HELD, /* it took too long */
    WORK_COUNTED,
    WORK_TAKEN,
};
enum work_hold probe_work_hold(void);
void probe_work_let_go(enum work_hold hold);

/* In a forked child, which has the calling thread alone. */
void probe_work_fork_child(void);

/* When the program's patience with the agent's thread ends: CLOCK_MONOTONIC. The thread
 * may be at a page that needs a lock of the loader, which the program's thread holds
 * that waits: it is in the constructor of a library, for example. So no wait for the
 * thread is for ever. */
struct timespec probe_patience_end(void);

#endif
