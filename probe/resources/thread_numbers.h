/*
 * How often threads of this process have begun with the same number: the kernel gives a
 * number again when its thread has ended.
 */
#ifndef PROBE_RESOURCES_THREAD_NUMBERS_H
#define PROBE_RESOURCES_THREAD_NUMBERS_H

#include <stdbool.h>
#include <sys/types.h>

/* Counts a thread that begins; in a forked child, its main thread too. Call it from one
 * thread at a time. Keeps errno. */
void probe_thread_number_count(pid_t tid);

/* Whether more than one thread of this process has begun with this number, or that is
 * not known: the threads are not noted, or memory was short. A forked child goes on
 * with its parent's counts, because the locks in its memory are its parent's too.
 *
 * Threads that begin unseen are not counted: those that the C library starts for itself
 * (timers with SIGEV_THREAD, asynchronous input and output), those of a clone of the
 * program's own, and those that a signal handler starts inside the probe. */
bool probe_thread_number_reused(pid_t tid);

#endif
