/*
 * Stops all other threads of this process for a moment, so that its memory can be
 * copied as it is at one instant.
 *
 * A thread that waits in a call of the C library is held there (thread_source.h): its
 * wait does not end early. The others get the signal of the thread profile and stay in
 * its handler (thread_park.h). A thread that is just changing the recorder's tables
 * finishes that first. Threads that begin meanwhile are found by listing them again,
 * until there is no new one.
 */
#ifndef PROBE_THREADS_FREEZE_H
#define PROBE_THREADS_FREEZE_H

#include <stddef.h>
#include <stdint.h>

#include "probe/threads/thread_park.h"

/* All threads, the calling one last. The memory is the probe's, and valid until the
 * next freeze. */
struct frozen {
    struct parked_thread *threads;
    size_t count;
};

/* Stops the threads, calls `act`, lets them go. `act` must not allocate, nor take any
 * lock: a stopped thread may hold it. Writes how long the threads were stopped, from
 * the first to the last. If not all can be stopped within some ms, they go on for a
 * moment before they are stopped again.
 *
 * Returns 0; -EBUSY if a thread could not be stopped in FREEZE_LIMIT_MS (it blocks all
 * signals, or is in a call that no signal ends), and its number then is in
 * ret_stubborn; -EAGAIN if `act` took so long that they went on by themselves; -E2BIG
 * if there are more than THREADS_MAX; -ENOMEM; or -errno from reading the list. Except
 * for -EAGAIN `act` was then not called. */
int probe_threads_freeze(void (*act)(const struct frozen *frozen, void *argument),
                         void *argument, int64_t *ret_stopped_ns, pid_t *ret_stubborn);

#define FREEZE_LIMIT_MS 500

#endif
