/*
 * Walks the stack of a thread that does not move: from registers that it has left
 * somewhere, with the same unwinder that a thread uses for its own stack.
 */
#ifndef PROBE_THREADS_STACK_WALK_H
#define PROBE_THREADS_STACK_WALK_H

#include <stdint.h>
#include <unwind.h>

/* The registers of x86-64 that survive a call, and where the thread is. The assembly in
 * stack_walk.c knows their order. */
struct stack_registers {
    uintptr_t rip;
    uintptr_t rsp;
    uintptr_t rbp;
    uintptr_t rbx;
    uintptr_t r12;
    uintptr_t r13;
    uintptr_t r14;
    uintptr_t r15;
};

/* Calls `each` for every frame, as _Unwind_Backtrace does: first for frames of the
 * walk itself, then for the frame at `registers`, which looks like one that a signal
 * has interrupted, then for its callers. The stack must not change meanwhile. On other
 * processors than x86-64 it calls nothing. */
void probe_stack_walk(const struct stack_registers *registers, _Unwind_Trace_Fn each,
                      void *argument);

#endif
