/*
 * Threads that were let go (joined or detached) while the notes were busy: another
 * thread forks, and holds them for as long as handlers of pthread_atfork and the kernel
 * take; or a signal handler has interrupted the probe. Whoever takes the notes next
 * looks here first. No lock is needed.
 */
#ifndef PROBE_RESOURCES_THREADS_ASIDE_H
#define PROBE_RESOURCES_THREADS_ASIDE_H

#include <stdbool.h>
#include <stdint.h>

/* Puts one aside. `which` is what probe_thread_which has returned; not 0. */
void probe_thread_put_aside(uint64_t which, bool joined);

/* Calls `each` for every one, and forgets it. Costs next to nothing if there is none.
 */
void probe_threads_aside(void (*each)(uint64_t which, bool joined));

/* In a forked child. */
void probe_threads_aside_forget(void);

/* A thread could not be noted at all. */
void probe_thread_not_noted(void);

/* How many of both kinds were lost: there was no room, or the notes were busy. */
uint64_t probe_threads_lost(void);

#endif
