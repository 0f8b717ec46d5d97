/*
 * Pointers of the program that only the kernel has: what epoll gives back with an
 * event, and what a timer's signal brings.
 */
#ifndef PROBE_REACH_KERNEL_WORDS_H
#define PROBE_REACH_KERNEL_WORDS_H

#include <stddef.h>

#include "probe/reach/shared_copy.h"

/* Finds out which descriptors are epoll's. Before the threads are stopped. Returns 0 or
 * -errno. */
int probe_kernel_words_prepare(void);

/* Reads the words of those, and of the timers, while the threads are stopped: it
 * allocates nothing. Adds them to the copy's. Returns 0; -E2BIG if there are more than
 * COPY_WORDS_MAX; or -errno. */
int probe_kernel_words_read(struct shared_copy *copy);

#endif
