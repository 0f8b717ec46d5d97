/*
 * libunwind, opened at run time and not linked, so that a program's own names never
 * become ours and its names never the program's. Only what is asked of it once per
 * return address is fast enough for every allocation: see call_stack.c. None of its own
 * caches is used: they are not emptied when a library is unloaded, and the one of
 * unw_backtrace takes half a MiB of every thread.
 */
#ifndef PROBE_RECORDER_UNWINDER_H
#define PROBE_RECORDER_UNWINDER_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/recorder/frame_rules.h"

/* Opens the library. Returns 0, or -ENOSYS if it is not there. Call it from inside the
 * probe (inside.h). */
int probe_unwinder_open(void);

/* A function of libunwind by the name in its header: "unw_step" is the symbol
 * "_ULx86_64_step". NULL if it is not there. */
void *probe_unwinder_symbol(const char *symbol);

/* The calling thread has given its signal handlers this stack (sigaltstack(2)): on a
 * small one libunwind is not called. May be called in a signal handler. */
void probe_unwinder_handler_stack(const stack_t *stack);

/* Whether this is code of libunwind. May be called in a signal handler. */
bool probe_unwinder_has(uintptr_t code);

/* The registers that a frame is found by. */
struct frame_registers {
    uintptr_t ip; /* where it goes on after its call: a return address */
    uintptr_t sp;
    uintptr_t bp;
};

/* Finds the rule for a frame. `ret_known` says whether it holds for every frame with
 * this return address, so that it can be kept. Where a signal handler has a stack of
 * its own with too little room, the stack ends with this frame. FRAME_UNKNOWN: another
 * thread forks for long, and the unwinder is not to be had. */
struct frame_rule probe_unwinder_learn(struct frame_registers frame, bool *ret_known);

/* Takes the calling thread's stack by libunwind alone, from the frame that goes on at
 * `first_ip` outwards. Frames as in stacks.h. Returns their number; 0 if there is too
 * little room; UNWINDER_BUSY if another thread forks for long. */
#define UNWINDER_BUSY SIZE_MAX
size_t probe_unwinder_walk(uintptr_t first_ip, uintptr_t *frames, size_t size);

/* Around fork: no other thread is inside libunwind, which takes locks of the loader. */
void probe_unwinder_hold(void);
void probe_unwinder_release(void);
void probe_unwinder_fork_child(void);

#endif
