/*
 * A record for each thread that has waited: where its stack begins while it waits. The
 * agent reads the stack from there, and the thread does not leave the wait meanwhile.
 *
 *   state of a record        who changes it
 *   0 -> WAITING             the thread, before it calls the C library's function
 *   WAITING -> 0             the thread, after that call
 *   WAITING -> + READING     the agent, before it reads the stack;
 *                            now the thread cannot leave, it waits
 *   READING -> 0             the agent, afterwards; it wakes the thread
 *   0 -> ASKED               the agent, before it sends the signal;
 *                            now the thread cannot begin a wait, it lets the signal
 *                            come first
 *   ASKED -> 0               the thread's signal handler; or the agent, when it gives
 * up
 *
 * The agent holds no lock and calls no allocator while it reads, so the thread may hold
 * any lock. A record belongs to one thread, and after that to another one.
 */
#ifndef PROBE_PRELOAD_WAIT_RECORDS_H
#define PROBE_PRELOAD_WAIT_RECORDS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe/threads/stack_walk.h"
#include "probe/threads/thread_source.h"

struct wait_record;

/* One wait; it lives on the stack of the function that waits. A wait in a signal
 * handler may have another one outside of it. */
struct wait_frame {
    struct stack_registers registers; /* of that function */
    const void *function;             /* that it calls, shown as the innermost one */
    struct wait_frame *outer;
    struct wait_record *record; /* NULL: memory is short, or not on this processor */
    uint64_t number;            /* of this wait among the thread's waits */
};

/* Prepares the records. Returns 0 or -errno; -ENOSYS: not on this processor. Then every
 * thread gets the signal. */
int probe_wait_records_start(void);

/* The thread begins and ends a wait. `registers` and `function` are set. They keep
 * errno. */
void probe_wait_enter(struct wait_frame *frame);
void probe_wait_leave(struct wait_frame *frame);

/* Whether the calling thread is in a wait: it then runs a signal handler. */
bool probe_wait_inside(void);

/* Ends all waits of the calling thread: it is about to jump out of them. */
void probe_wait_abandon(void);

/* For struct thread_source, which says what they do. The hold's registers and waits are
 * filled in. */
uint64_t probe_wait_now(pid_t tid);
enum thread_found probe_wait_hold(pid_t tid, uint32_t round,
                                  struct thread_hold *ret_hold);
void probe_wait_release(pid_t tid);
void probe_wait_answered(uint32_t round);
void probe_wait_given_up(pid_t tid, uint32_t round);

/* Takes back the records of threads that have ended. */
void probe_wait_sweep(uint32_t round);

/* In a forked child: only the calling thread's record stays. */
void probe_wait_records_fork_child(void);

/* Writes the registers of the calling function to `registers`. It must not return
 * before the wait has ended: its frame is where reading begins. */
static inline __attribute__((always_inline)) void
probe_wait_registers(struct stack_registers *registers)
{
#ifdef __x86_64__
    __asm__ volatile("leaq 1f(%%rip), %%rax\n"
                     "1:\n"
                     "movq %%rax, 0(%0)\n"
                     "movq %%rsp, 8(%0)\n"
                     "movq %%rbp, 16(%0)\n"
                     "movq %%rbx, 24(%0)\n"
                     "movq %%r12, 32(%0)\n"
                     "movq %%r13, 40(%0)\n"
                     "movq %%r14, 48(%0)\n"
                     "movq %%r15, 56(%0)\n"
                     :
                     : "r"(registers)
                     : "rax", "memory");
#else
    (void)registers;
#endif
}

#endif
