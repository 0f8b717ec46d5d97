/*
 * Functions that start threads, and that let them go without a wait. A thread begins in
 * a function of ours, which calls the program's by a tail call: so nothing of ours is
 * on its stack.
 */
#include <pthread.h>
#include <threads.h>

#include "probe/calls/real_function.h"
#include "probe/resources/thread_notes.h"

PROBE_REAL(pthread_create)
PROBE_REAL(thrd_create)
PROBE_REAL(pthread_detach)
PROBE_REAL(thrd_detach)
PROBE_REAL(pthread_tryjoin_np)

/* The stack of what is made begins with the caller of the function here. */
#define FRAME __builtin_frame_address(0)

static void *begin(void *note)
{
    struct thread_task task = probe_thread_begins(note);
    return task.routine.posix(task.argument);
}

static int begin_c11(void *note)
{
    struct thread_task task = probe_thread_begins(note);
    return task.routine.c11(task.argument);
}

PROBE_EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                                void *(*routine)(void *), void *argument)
{
    const struct thread_task task = {.routine.posix = routine, .argument = argument};
    struct thread_note *note = probe_thread_note(attributes, task, FRAME);
    if (note == NULL) {
        return pthread_create_real()(thread, attributes, routine, argument);
    }
    int error = pthread_create_real()(thread, attributes, begin, note);
    probe_thread_made(note, thread, error == 0);
    return error;
}

PROBE_EXPORT int thrd_create(thrd_t *thread, thrd_start_t routine, void *argument)
{
    const struct thread_task task = {.routine.c11 = routine, .argument = argument};
    struct thread_note *note = probe_thread_note(NULL, task, FRAME);
    if (note == NULL) {
        return thrd_create_real()(thread, routine, argument);
    }
    int result = thrd_create_real()(thread, begin_c11, note);
    probe_thread_made(note, thread, result == thrd_success);
    return result;
}

PROBE_EXPORT int pthread_detach(pthread_t thread)
{
    uint64_t which = probe_thread_which(thread);
    int error = pthread_detach_real()(thread);
    probe_thread_detached(error == 0 ? which : 0);
    return error;
}

PROBE_EXPORT int thrd_detach(thrd_t thread)
{
    uint64_t which = probe_thread_which(thread);
    int result = thrd_detach_real()(thread);
    probe_thread_detached(result == thrd_success ? which : 0);
    return result;
}

PROBE_EXPORT int pthread_tryjoin_np(pthread_t thread, void **ret_value)
{
    uint64_t which = probe_thread_which(thread);
    int error = pthread_tryjoin_np_real()(thread, ret_value);
    probe_thread_joined(error == 0 ? which : 0);
    return error;
}
