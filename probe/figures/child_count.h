/*
 * How many children this process has: living ones, and those that have ended and were
 * not waited for. Source: /proc/self/task/TID/children, see proc(5).
 */
#ifndef PROBE_FIGURES_CHILD_COUNT_H
#define PROBE_FIGURES_CHILD_COUNT_H

/* The kernel lists children thread by thread, at some 5 us a thread: in a process with
 * children and more threads than this they are not counted. */
#define CHILD_COUNT_THREADS_MOST 250

/* Counts them. Returns 0; -EOPNOTSUPP if there are too many threads, -EAGAIN if threads
 * with children began and ended faster than they could be counted, or -errno if the
 * kernel does not list them. Allocates nothing. */
int probe_child_count(unsigned *ret_count);

#endif
