/*
 * The waiting functions of the C library, replaced by ones that note where they wait.
 */
#ifndef PROBE_PRELOAD_WAIT_CALLS_H
#define PROBE_PRELOAD_WAIT_CALLS_H

/* From now on waits are noted; before that the functions pass through. `first_wait` as
 * in waits.h. */
void probe_wait_calls_start(void (*first_wait)(void));

/* Sets what is called before each system call by number (syscall(2)), and before each
 * jump (longjmp(3)). Call it while the program has one thread. */
void probe_wait_calls_before(void (*number)(long number, const long arguments[6]),
                             void (*jump)(void));

/* The next pure wait calls `first_wait`. */
void probe_wait_calls_wake_up(void);

#endif
