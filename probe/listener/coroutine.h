/*
 * A coroutine: a function on a stack of its own, which can stop in the middle and go on
 * later. All of it runs on the thread that resumes it. The stack is a mapping with a
 * guard page below it, so an overflow ends the program and does not write over other
 * memory.
 */
#ifndef PROBE_LISTENER_COROUTINE_H
#define PROBE_LISTENER_COROUTINE_H

#include <stdbool.h>

struct coroutine;

/* Makes a coroutine that will call run(argument). Returns 0, and the caller destroys
 * it; or -ENOMEM. */
int probe_coroutine_create(struct coroutine **ret_coroutine, void (*run)(void *),
                           void *argument);

/* Runs the coroutine until it yields or its function returns. Returns whether it has
 * not ended yet. Must not be called after it has ended. */
bool probe_coroutine_resume(struct coroutine *coroutine);

/* Called on the coroutine's stack: goes back to the caller of probe_coroutine_resume.
 * Returns when the coroutine is resumed. */
void probe_coroutine_yield(struct coroutine *coroutine);

/* Frees the stack; the function must have ended, or must never go on. NULL is
 * allowed. */
void probe_coroutine_destroy(struct coroutine *coroutine);

#endif
