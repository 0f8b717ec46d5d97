/*
 * The calling thread's stack, fast enough for every allocation: a few nanoseconds a
 * frame, without frame pointers. Each return address is looked up in the table of
 * frame_rules.h; libunwind is asked only for those that are new, and for whole stacks
 * with a frame that no simple rule describes.
 */
#ifndef PROBE_RECORDER_CALL_STACK_H
#define PROBE_RECORDER_CALL_STACK_H

#include <stddef.h>
#include <stdint.h>

/* Takes the stack from the caller of a function outwards. `frame` is what
 * __builtin_frame_address(0) is in that function, which has not returned. Frames as in
 * stacks.h; at most `size`. Returns their number; 0 if the unwinder is busy, because a
 * thread forks for long. Call it from inside the probe (inside.h), after
 * probe_unwinder_open. */
size_t probe_call_stack(const void *frame, uintptr_t *frames, size_t size);

/* Around a call that may unload code: from one to the other no rule is believed, and if
 * something was unloaded then all are forgotten. Calls may be nested. */
void probe_call_stack_unloading(void);
void probe_call_stack_unloaded(void);

/* The same by libgcc's unwinder, which is slow, but needs no library to be opened: that
 * must not be done before the constructors of the libraries have run. */
size_t probe_call_stack_early(const void *frame_address, uintptr_t *frames,
                              size_t size);

#endif
