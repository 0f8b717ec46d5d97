/*
 * The stack of a thread that waits in a system call which a signal would end early, and
 * which did not come through a function that we replace; or for a lock whose memory is
 * gone: from a copy, because nothing keeps the thread there.
 */
#ifndef PROBE_PRELOAD_STACK_COPY_H
#define PROBE_PRELOAD_STACK_COPY_H

#include <sys/types.h>

#include "probe/threads/thread_source.h"

/* THREAD_TO_BE_ASKED if the thread is in no such call, or the kernel does not say.
 * THREAD_HELD: the hold is filled in, with its copy of the stack, which is valid until
 * the next call; one thread at a time may call this. THREAD_LEFT_ALONE if the thread
 * went on meanwhile, again and again. */
enum thread_found probe_stack_copy(pid_t tid, struct thread_hold *ret_hold);

/* The name of the frame where the known part of a stack ends. */
void leakprobe_stack_cut_short(void);

#endif
