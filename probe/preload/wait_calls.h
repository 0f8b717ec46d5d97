/*
 * The waiting functions of the C library, replaced by ones that note where they wait.
 */
#ifndef PROBE_PRELOAD_WAIT_CALLS_H
#define PROBE_PRELOAD_WAIT_CALLS_H

/* From now on waits are noted; before that the functions pass through. `first_wait` as
 * in waits.h. */
void probe_wait_calls_start(void (*first_wait)(void));

/* The next pure wait calls `first_wait`. */
void probe_wait_calls_wake_up(void);

#endif
