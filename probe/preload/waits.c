/*
 * Connects the records of waiting threads to the thread profile.
 */
#include "probe/preload/waits.h"

#include <errno.h>
#include <stddef.h>

#include "probe/preload/signal_calls.h"
#include "probe/preload/stack_copy.h"
#include "probe/preload/wait_calls.h"
#include "probe/preload/wait_records.h"
#include "probe/threads/threads.h"

/* The begin of this library, and the end of its code; the linker defines them. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char etext[] __attribute__((visibility("hidden")));

/* A thread that does not wait in a call of ours may wait in another one. */
static enum thread_found hold(pid_t tid, uint32_t round, struct thread_hold *ret_hold)
{
    enum thread_found found = probe_wait_hold(tid, round, ret_hold);
    if (found != THREAD_TO_BE_ASKED) {
        return found;
    }
    found = probe_stack_copy(tid, ret_hold);
    if (found != THREAD_TO_BE_ASKED) {
        probe_wait_given_up(tid, round);
    }
    return found;
}

static void release(pid_t tid, const struct thread_hold *hold)
{
    if (!hold->copy) {
        probe_wait_release(tid);
    }
}

static const struct thread_source source = {
    .wait_now = probe_wait_now,
    .hold = hold,
    .release = release,
    .answered = probe_wait_answered,
    .given_up = probe_wait_given_up,
    .end = probe_wait_sweep,
};

int probe_waits_start(void (*first_wait)(void))
{
    int error = probe_wait_records_start();
    if (error != 0 && error != -ENOSYS) {
        return error;
    }
    error = probe_signals_start();
    if (error != 0) {
        return error;
    }
    struct threads_settings settings = {
        .source = &source,
        .hidden_start = (uintptr_t)__ehdr_start,
        .hidden_end = (uintptr_t)etext,
    };
    probe_threads_settle(&settings);
    probe_wait_calls_start(first_wait);
    return 0;
}

void probe_waits_wake_up(void)
{
    probe_wait_calls_wake_up();
}

void probe_waits_fork_child(void)
{
    probe_wait_records_fork_child();
    probe_signals_fork_child();
}
