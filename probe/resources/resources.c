#include "probe/resources/resources.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/calls/calls.h"
#include "probe/recorder/call_stack.h"
#include "probe/recorder/recorder.h"
#include "probe/recorder/stack_records.h"
#include "probe/recorder/unwinder.h"
#include "probe/resources/resources_mark.h"
#include "probe/stacks/stacks.h"

atomic_bool probe_resources_on;

static int64_t started; /* in ticks */
static pid_t process;

static int64_t ticks_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return ((int64_t)now.tv_sec * CLOCK_NS_PER_SECOND + now.tv_nsec) / RESOURCE_TICK_NS;
}

/* Whether Valgrind runs the program: this is in the library that it adds. How libunwind
 * tries whether an address is there, by a write to a pipe, is an error to it. */
static bool is_in_valgrind(void)
{
    return dlsym(RTLD_DEFAULT, "_vgnU_freeres") != NULL;
}

int probe_resources_start(void)
{
    if (probe_calls_prepare == NULL || is_in_valgrind()) {
        return -ENOTSUP;
    }
    probe_inside++;
    int error = probe_unwinder_open();
    if (error == 0) {
        probe_calls_prepare();
        probe_resources_mark_make();
        started = ticks_now() - 1;
        process = getpid();
        atomic_store(&probe_resources_on, true);
    }
    probe_inside--;
    return error;
}

bool probe_is_other_process(void)
{
    return syscall(SYS_getpid) != process;
}

uint32_t probe_resource_now(void)
{
    return (uint32_t)(ticks_now() - started);
}

struct resource_note probe_resource_note(const void *frame)
{
    uintptr_t frames[STACK_DEPTH_MAX];
    int saved = errno;
    probe_inside++;
    size_t depth = probe_call_stack(frame, frames, STACK_DEPTH_MAX);
    size_t first = probe_recorder_skipped(frames, depth);
    const struct stack_record *record =
        depth == 0 ? NULL : probe_record_of(frames + first, depth - first);
    struct resource_note note = {
        .stack = record == NULL ? 0 : record->number,
        .made = probe_resource_now(),
    };
    probe_inside--;
    errno = saved;
    return note;
}

int64_t probe_resource_age(struct resource_note note)
{
    return (ticks_now() - started - note.made) * RESOURCE_TICK_NS;
}

void probe_resources_go_on(void)
{
    process = getpid();
    probe_resources_mark_again();
}

void probe_resources_stop(void)
{
    atomic_store(&probe_resources_on, false);
}
