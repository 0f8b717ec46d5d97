#include "probe/resources/resources.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "probe/calls/calls.h"
#include "probe/recorder/call_stack.h"
#include "probe/recorder/recorder.h"
#include "probe/recorder/stack_records.h"
#include "probe/recorder/unwinder.h"
#include "probe/resources/descriptor_notes.h"
#include "probe/stacks/stacks.h"

atomic_bool probe_resources_on;
_Thread_local unsigned probe_in_vfork __attribute__((tls_model("initial-exec")));

static int64_t started; /* in ticks */

static int64_t ticks_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return ((int64_t)now.tv_sec * CLOCK_NS_PER_SECOND + now.tv_nsec) / RESOURCE_TICK_NS;
}

int probe_resources_start(void)
{
    if (probe_calls_prepare == NULL) {
        return -ENOTSUP;
    }
    probe_inside++;
    int error = probe_unwinder_open();
    if (error == 0) {
        probe_calls_prepare();
        started = ticks_now() - 1;
        atomic_store(&probe_resources_on, true);
    }
    probe_inside--;
    return error;
}

struct resource_note probe_resource_note(const void *frame)
{
    uintptr_t frames[STACK_DEPTH_MAX];
    int saved = errno;
    probe_inside++;
    size_t depth = probe_call_stack(frame, frames, STACK_DEPTH_MAX);
    size_t first = probe_recorder_skipped(frames, depth);
    const struct stack_record *record = probe_record_of(frames + first, depth - first);
    struct resource_note note = {
        .stack = record == NULL ? 0 : record->number,
        .made = (uint32_t)(ticks_now() - started),
    };
    probe_inside--;
    errno = saved;
    return note;
}

int64_t probe_resource_age(struct resource_note note)
{
    return (ticks_now() - started - note.made) * RESOURCE_TICK_NS;
}

void probe_resources_fork_prepare(void)
{
}

void probe_resources_fork_parent(void)
{
}

void probe_resources_fork_child(void)
{
    probe_fds_fork_child();
}

void probe_resources_stop(void)
{
    atomic_store(&probe_resources_on, false);
}
