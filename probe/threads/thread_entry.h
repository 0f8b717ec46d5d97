/*
 * One thread in a thread profile, and the limits of such a profile.
 */
#ifndef PROBE_THREADS_THREAD_ENTRY_H
#define PROBE_THREADS_THREAD_ENTRY_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The signal that asks a thread, unless another one was chosen; and the one in use. */
#define THREADS_SIGNAL (SIGRTMIN + 2)
int probe_threads_signal(void);

/* The time limit for all threads together. A thread without an answer by then is
 * silent. A thread that blocks the signal is detected earlier. */
#define THREADS_TIME_LIMIT_MS 2000

#define THREADS_MAX 32768    /* further threads are listed, but get no signal */
#define THREADS_DEPTH_MAX 64 /* the innermost frames that are kept of a stack */
#define THREADS_NO_STACK SIZE_MAX

#define THREADS_CALL_NONE (-1)    /* it waits in no system call */
#define THREADS_CALL_UNKNOWN (-2) /* the kernel does not say */

struct thread_entry {
    pid_t tid;
    size_t stack; /* number in `stacks`; THREADS_NO_STACK: the thread is silent */

    /* Only with details: */
    char name[16];     /* "" if it could not be read; '?' for control characters */
    char state;        /* a letter of proc(5): 'S' sleeping, 'R' running; 0: not read */
    int64_t waited_ns; /* a lower bound: see probe_threads_read */
    int64_t lifetime_ns; /* since the thread began */
    int64_t born_ns;     /* when it began: CLOCK_BOOTTIME, exact to the kernel's tick of
                            usually 10 ms, and the same in every reading */

    /* Only from probe_threads_read_waits: */
    bool unchanged;       /* it has not run since the last round */
    long call;            /* number of the system call that it waits in; or
                             THREADS_CALL_NONE, THREADS_CALL_UNKNOWN */
    uintptr_t call_after; /* the address behind the call's instruction */
};

#endif
