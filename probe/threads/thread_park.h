/*
 * A thread that is stopped: it stays in its signal handler, or in a wait that it cannot
 * leave, until it is let go. What is said of it is where its stack begins and where its
 * registers are, so that pointers can be looked for in them.
 */
#ifndef PROBE_THREADS_THREAD_PARK_H
#define PROBE_THREADS_THREAD_PARK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <ucontext.h>

#include "base/range.h"

#include "probe/threads/stack_walk.h"

struct parked_thread {
    pid_t tid;
    bool exact;   /* every register that the thread has is known */
    bool shown;   /* `registers` are where a walk of the stack begins */
    uintptr_t sp; /* the part of its stack that is in use begins here; 0: not known */
    uintptr_t pointer; /* its thread pointer: pthread_self(); 0: not known */
    struct stack_registers registers;
    uintptr_t leaf; /* shown in place of the first frame; 0: nothing is replaced */
    struct range saved[2]; /* other registers, where the kernel has saved them */
};

/* Fills in what a signal handler knows of its own thread, all but the tid. `context` is
 * the handler's third argument. */
void probe_thread_park_fill(const ucontext_t *context, struct parked_thread *thread);

/* Stays here until probe_thread_park_release for this round, or for at most
 * THREADS_PARK_MS: whoever stopped the thread may be gone. It takes no lock. */
void probe_thread_park_stay(uint32_t round);

#define THREADS_PARK_MS 1000

/* Lets all go that stay for this round or an earlier one. */
void probe_thread_park_release(uint32_t round);

#endif
