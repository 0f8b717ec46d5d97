/*
 * System calls that wait, by number: for calls that reach the kernel without one of the
 * C library's functions that we replace.
 */
#ifndef PROBE_PRELOAD_WAIT_NUMBERS_H
#define PROBE_PRELOAD_WAIT_NUMBERS_H

#include <stdbool.h>

/* Whether a signal ends this call in spite of SA_RESTART. Not those for which that
 * depends on the descriptor (read, recvfrom: only a socket with a time limit), and not
 * futex: the C library goes on with it. */
bool probe_wait_number_ends_early(long number);

/* Whether it waits at all, as far as it is known here. */
bool probe_wait_number_waits(long number);

#endif
