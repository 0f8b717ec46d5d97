/*
 * Takes the rounds of a trace. A thread that has not run since the last round costs a
 * few hundred nanoseconds; one that has costs a signal and two small files. The first
 * round asks all threads.
 */
#include "probe/trace/trace.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/symbols/symbols.h"
#include "probe/threads/threads.h"
#include "probe/trace/trace_file.h"
#include "probe/trace/trace_frames.h"
#include "probe/trace/trace_rate.h"

/* About 3 MiB and 8 MiB. */
#define THREADS_RECORDED_MAX 32768
#define SPANS_RECORDED_MAX 100000

#define NS_PER_US 1000

/* At least so long is between two rounds: others may want one of their own. */
#define PAUSE_NS (10 * CLOCK_NS_PER_MS)

/* Only one trace at a time: each keeps the calling thread until it ends. */
static atomic_flag running = ATOMIC_FLAG_INIT;

static int64_t clock_read_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * CLOCK_NS_PER_SECOND + now.tv_nsec;
}

static int64_t cpu_now_ns(void)
{
    return clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* ---- What a round sees ---- */

/* A hash of the thread's stack; 0 if there is none. */
static uint64_t stack_hash(const struct threads *threads,
                           const struct thread_entry *entry)
{
    if (entry->stack == THREADS_NO_STACK) {
        return 0;
    }
    const struct stack *stack = probe_stacks_at(&threads->stacks, entry->stack);
    const uintptr_t *frames = probe_stacks_frames(&threads->stacks, stack);
    uint64_t hash = stack->depth;
    for (size_t i = 0; i < stack->depth; i++) {
        hash = probe_table_mix(hash ^ frames[i]);
    }
    return hash | 1;
}

/* Whether the stack, whose innermost address is `leaf`, was taken in the system call
 * that was read before. While a call is begun again after a signal, the address is that
 * of its instruction, which is a few bytes long. */
static bool still_in_call(const struct thread_entry *entry, uintptr_t leaf)
{
    return leaf <= entry->call_after && entry->call_after - leaf <= 4;
}

static enum trace_doing doing_of(const struct thread_entry *entry, uintptr_t leaf)
{
    switch (entry->state) {
    case 'T':
    case 't':
        return TRACE_STOPPED;
    case 'S':
    case 'D':
        if (entry->call == THREADS_CALL_UNKNOWN) {
            /* It slept before the signal. If there was none, it still does. */
            return entry->unchanged ? TRACE_WAITS : TRACE_UNKNOWN;
        }
        return entry->call >= 0 && still_in_call(entry, leaf) ? TRACE_WAITS
                                                              : TRACE_RUNS;
    case 'R':
        return TRACE_RUNS;
    default:
        return TRACE_UNKNOWN;
    }
}

/* Records what a thread does that may do something else than before. */
static void thread_record(struct trace *trace, const struct threads *threads,
                          struct thread_entry *entry, struct trace_thread *thread)
{
    struct trace_frame frames[THREADS_DEPTH_MAX];
    struct trace_sight sight = {.doing = TRACE_SILENT, .call = THREADS_CALL_UNKNOWN};
    if (entry->stack != THREADS_NO_STACK) {
        if (entry->unchanged && entry->state == 0) {
            probe_threads_read_wait(entry);
        }
        const struct stack *stack = probe_stacks_at(&threads->stacks, entry->stack);
        const uintptr_t *addresses = probe_stacks_frames(&threads->stacks, stack);
        probe_trace_frames(addresses, stack->depth, frames, &sight);
        sight.doing = doing_of(entry, addresses[0]);
        sight.call = sight.doing == TRACE_WAITS ? entry->call : THREADS_CALL_UNKNOWN;
    }
    if (entry->name[0] != '\0') {
        memcpy(thread->name, entry->name, sizeof(thread->name));
    }
    probe_recording_add(&trace->recording, thread, &sight);
}

static void thread_see(struct trace *trace, const struct threads *threads,
                       struct thread_entry *entry)
{
    struct trace_recording *recording = &trace->recording;
    if (entry->unchanged && !probe_recording_knows(recording, entry->tid)) {
        probe_threads_read_wait(entry);
    }
    int64_t born_us = (entry->born_ns - trace->began_boot_ns) / NS_PER_US;
    struct trace_thread *thread =
        probe_recording_see(recording, entry->tid, entry->state == 0 ? NULL : &born_us);
    if (thread == NULL) {
        trace->cut++;
        return;
    }
    uint64_t hash = stack_hash(threads, entry);
    if (entry->unchanged && hash == thread->stack && thread->doing == TRACE_WAITS) {
        return; /* it goes on waiting where it was */
    }
    thread->stack = hash;
    thread_record(trace, threads, entry, thread);
}

/* ---- Rounds ---- */

static void figures_record(struct trace *trace)
{
    struct trace_sample sample = {.at_us = trace->recording.now_us};
    bool read = probe_figures_read(&sample.figures) == 0;
    if (read) {
        buffer_append(&trace->samples, &sample, sizeof(sample));
    }
    if (read && trace->samples.error == 0) {
        trace->sample_count++;
    } else {
        trace->figures_missed++;
    }
}

/* Takes one round. Writes its processor time in nanoseconds to ret_cost. Returns 0 or
 * -errno. */
static int round_take(struct trace *trace, int64_t *ret_cost)
{
    struct threads threads;
    int64_t before = cpu_now_ns();
    int error = probe_threads_read_waits(&threads);
    if (error != 0) {
        *ret_cost = cpu_now_ns() - before;
        return error;
    }
    if (trace->rounds == 0) {
        int64_t boot_ns = clock_read_ns(CLOCK_BOOTTIME);
        trace->began_ns = threads.taken_ns;
        trace->began_boot_ns = boot_ns - (clock_now_ns() - threads.taken_ns);
        trace->wall_s = (int64_t)time(NULL);
    }
    int64_t now_us = (threads.taken_ns - trace->began_ns) / NS_PER_US;
    probe_recording_round(&trace->recording, now_us);
    trace->cut = 0;
    for (size_t i = 0; i < threads.count; i++) {
        thread_see(trace, &threads, probe_threads_at(&threads, i));
    }
    probe_recording_round_end(&trace->recording);
    figures_record(trace);
    trace->rounds++;
    trace->signals += threads.asked;
    trace->silent = threads.silent > trace->silent ? threads.silent : trace->silent;
    int64_t signals_ns = (int64_t)threads.asked * TRACE_SIGNAL_NS;
    probe_threads_release(&threads);
    int64_t own_ns = cpu_now_ns() - before;
    trace->cpu_ns += own_ns;
    *ret_cost = own_ns + signals_ns;
    return 0;
}

/* Waits until the time `next_ns`. Returns 0, or the error of `wait`, which is called
 * even if that time is over: it knows when the program stops. */
static int pause_until(int64_t next_ns, int (*wait)(void *argument, unsigned ms),
                       void *argument)
{
    int64_t now = clock_now_ns();
    next_ns = next_ns < now + PAUSE_NS ? now + PAUSE_NS : next_ns;
    int error = 0;
    while (error == 0 && now < next_ns) {
        error = wait(argument, (unsigned)((next_ns - now) / CLOCK_NS_PER_MS + 1));
        now = clock_now_ns();
    }
    return error;
}

/* Takes rounds until the time is over. Returns 0, or the error of `wait` or of the
 * first round. */
static int rounds_take(struct trace *trace, int (*wait)(void *argument, unsigned ms),
                       void *argument)
{
    int64_t cost = 0;
    int error = round_take(trace, &cost);
    if (error != 0) {
        return error;
    }
    cost = 0; /* the first round asks all threads: no other costs as much */
    int64_t end = trace->began_ns + trace->seconds * CLOCK_NS_PER_SECOND;
    int64_t next = trace->began_ns;
    while (next < end && !trace->recording.full && trace->recording.error == 0) {
        int64_t earliest = next + probe_trace_interval(cost);
        int64_t now = clock_now_ns();
        next = earliest < now ? now : earliest;
        next = next > end ? end : next;
        error = pause_until(next, wait, argument);
        if (error != 0) {
            return error;
        }
        trace->failed += round_take(trace, &cost) == 0 ? 0 : 1;
    }
    return trace->recording.error;
}

static int trace_run(struct trace *trace, const char *program,
                     int (*wait)(void *argument, unsigned ms), void *argument,
                     struct buffer *ret_text)
{
    probe_symbols_load();
    int error = rounds_take(trace, wait, argument);
    if (error == 0) {
        trace->ended_us = trace->recording.now_us;
        probe_recording_finish(&trace->recording);
        probe_symbols_load(); /* the program may have loaded libraries meanwhile */
        error = probe_trace_file_write(trace, program, ret_text);
    }
    return error;
}

void probe_trace_fork_child(void)
{
    atomic_flag_clear(&running);
}

int probe_trace_take(unsigned seconds, const char *program,
                     int (*wait)(void *argument, unsigned ms), void *argument,
                     struct buffer *ret_text)
{
    if (atomic_flag_test_and_set(&running)) {
        return -EBUSY;
    }
    struct trace trace = {.seconds = seconds, .own_tid = gettid()};
    probe_recording_init(&trace.recording, THREADS_RECORDED_MAX, SPANS_RECORDED_MAX);
    int error = trace_run(&trace, program, wait, argument, ret_text);
    probe_recording_release(&trace.recording);
    buffer_release(&trace.samples);
    atomic_flag_clear(&running);
    return error;
}
