/*
 * The frames of a stopped thread, and which of its functions has a pointer. For the
 * frozen copy of the process (reach.h).
 */
#ifndef PROBE_REACH_STACK_FRAMES_H
#define PROBE_REACH_STACK_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#include "probe/reach/process_parts.h"
#include "probe/threads/thread_park.h"

#define STACK_FRAMES_MAX 64
#define STACK_KEPT_REGISTERS 6

struct stack_frame {
    uintptr_t code;
    uintptr_t begin; /* of its part of the stack, up to where its caller's begins */
    uintptr_t kept[STACK_KEPT_REGISTERS]; /* which it leaves as its caller had them */
};

struct stack_frames {
    struct stack_frame data[STACK_FRAMES_MAX]; /* the innermost first */
    size_t count;
    uintptr_t begin; /* of the stack */
    const struct process_parts *parts;
};

/* No frame of the thread yet. */
void probe_stack_frames_begin(struct stack_frames *frames,
                              const struct parked_thread *thread,
                              const struct process_parts *parts);

/* Walks the thread's stack and adds its frames. What it reads may be gone: what was
 * added by then is right. */
void probe_stack_frames_walk(struct stack_frames *frames,
                             const struct parked_thread *thread);

/* Code of the function that has the word at this address of the stack; 0: not known. */
uintptr_t probe_stack_frames_holder(const struct stack_frames *frames,
                                    uintptr_t address, uintptr_t word);

/* The same for a word in one of the thread's registers. */
uintptr_t probe_stack_frames_register_holder(const struct stack_frames *frames,
                                             uintptr_t word);

#endif
