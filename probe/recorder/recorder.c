#include "probe/recorder/recorder.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <sys/auxv.h>
#include <time.h>

#include "base/range.h"
#include "probe/calls/calls.h"
#include "probe/recorder/call_stack.h"
#include "probe/recorder/frame_rules.h"
#include "probe/recorder/inside.h"
#include "probe/recorder/live_blocks.h"
#include "probe/recorder/lock.h"
#include "probe/recorder/own_memory.h"
#include "probe/recorder/poisson.h"
#include "probe/recorder/stack_records.h"
#include "probe/recorder/unwinder.h"

#define SKIP_RANGES 4
#define SKIP_FRAMES 16 /* room for the frames that are left out */

/* Weights are summed as integers, so that what was allocated minus what is in use is
 * exact: a block counts as so many. */
#define WEIGHT_UNIT 1024

/* Sampled: how many notes there are for the addresses that share a number. 0, which is
 * usual, means that a block was not sampled, without a look into the table. */
#define FILTER_BITS 15
#define FILTER_REACH 10 /* 1 KiB of addresses shares a number */

static _Atomic int mode; /* enum recorder_mode */
static size_t period;

static struct range skipped[SKIP_RANGES];
static size_t skipped_count;

static atomic_bool is_early; /* the unwinder is not open yet */
static _Atomic uint64_t lost;
static _Atomic uint16_t filter[1U << FILTER_BITS];
static struct probe_lock reading; /* the scratch space in the records */

/* The bytes that this thread still allocates before it samples a block. */
static _Thread_local int64_t bytes_left __attribute__((tls_model("initial-exec")));
static _Thread_local uint64_t random_state __attribute__((tls_model("initial-exec")));

void probe_recorder_skip(uintptr_t start, uintptr_t end)
{
    if (skipped_count < SKIP_RANGES) {
        skipped[skipped_count++] = (struct range){start, end};
    }
}

size_t probe_recorder_skipped(const uintptr_t *frames, size_t depth)
{
    size_t first = 0;
    for (size_t i = 0; i < skipped_count && first < depth; i++) {
        if (range_has(skipped[i], frames[first])) {
            first++;
            i = (size_t)-1; /* all ranges again, for the next frame */
        }
    }
    return first;
}

void probe_recorder_stop_early(void)
{
    if (!atomic_load(&is_early)) {
        return;
    }
    atomic_store(&mode, RECORDER_OFF);
    atomic_store(&is_early, false);
    probe_live_forget_all();
    for (struct stack_record *stack = probe_record_newest(); stack != NULL;
         stack = stack->older) {
        atomic_store(&stack->blocks, 0);
        atomic_store(&stack->bytes, 0);
    }
}

int probe_recorder_start(enum recorder_mode wanted, size_t wanted_period)
{
    if (wanted != RECORDER_EXACT) {
        probe_recorder_stop_early();
    }
    if (wanted == RECORDER_OFF) {
        return 0;
    }
    probe_inside++;
    int error = probe_unwinder_open();
    if (error != 0) {
        probe_recorder_stop_early();
    }
    if (error == 0) {
        /* Whatever libunwind makes at its first use, it makes now. */
        uintptr_t frames[STACK_DEPTH_MAX];
        probe_call_stack(__builtin_frame_address(0), frames, STACK_DEPTH_MAX);
        period = wanted_period == 0 ? 1 : wanted_period;
        atomic_store_explicit(&is_early, false, memory_order_release);
        atomic_store_explicit(&mode, (int)wanted, memory_order_release);
    }
    probe_inside--;
    return error;
}

void probe_recorder_start_early(void)
{
    atomic_store(&is_early, true);
    period = 1;
    atomic_store_explicit(&mode, RECORDER_EXACT, memory_order_release);
}

enum recorder_mode probe_recorder_mode(void)
{
    return (enum recorder_mode)atomic_load_explicit(&mode, memory_order_acquire);
}

size_t probe_recorder_period(void)
{
    return period;
}

static _Atomic uint16_t *filter_of(const void *block)
{
    /* Blocks that are close together have the same counter or the next one: what a
     * program frees in a short time is then found in the processor's cache. */
    uintptr_t place = (uintptr_t)block >> FILTER_REACH;
    return &filter[(place ^ place >> FILTER_BITS) % (1U << FILTER_BITS)];
}

/* Draws when the thread samples next. */
static void draw(void)
{
    bytes_left = (int64_t)probe_poisson_gap(&random_state, period);
}

/* Whether a block is sampled, after the thread's countdown has ended: at its first
 * allocation it has not begun. */
static __attribute__((noinline)) bool sample_now(size_t bytes)
{
    if (random_state == 0) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        random_state = (uintptr_t)&random_state ^ ((uint64_t)now.tv_nsec << 32) ^
                       (uint64_t)now.tv_nsec;
        draw();
        bytes_left -= (int64_t)bytes;
        if (bytes_left >= 0) {
            return false;
        }
    }
    draw();
    return bytes > 0;
}

static inline bool wanted_block(size_t bytes)
{
    int now = atomic_load_explicit(&mode, memory_order_relaxed);
    if (now != RECORDER_SAMPLED) {
        return now == RECORDER_EXACT;
    }
    /* No block is larger than half of the address space, so this cannot overflow. */
    bytes_left -= (int64_t)bytes;
    return bytes_left < 0 && sample_now(bytes);
}

/* Whether a block is none of the program's: code that is left out has allocated it when
 * the loader called it. So an allocator with constructors of its own makes itself
 * ready; what holds such a block is the allocator's, too. */
static bool is_allocators_own(uintptr_t frame, size_t left_out)
{
    Dl_info file;
    return left_out > 0 && atomic_load(&is_early) &&
           dladdr((void *)frame, &file) != 0 &&
           (uintptr_t)file.dli_fbase == getauxval(AT_BASE);
}

/* Leaves out the functions that stand in front of the C library's: when that allocates,
 * in fopen for one, they are in the middle. Returns the new depth. */
static size_t calls_leave_out(uintptr_t *frames, size_t depth)
{
    const struct range calls = {(uintptr_t)probe_calls_begin,
                                (uintptr_t)probe_calls_end};
    size_t kept = 0;
    for (size_t i = 0; i < depth; i++) {
        if (!range_has(calls, frames[i])) {
            frames[kept++] = frames[i];
        }
    }
    return kept;
}

/* The stack without the frames that are to be left out. NULL: it is not to be recorded,
 * or memory is short; the latter is counted. */
static struct stack_record *record_of_caller(const void *frame)
{
    uintptr_t frames[SKIP_FRAMES + STACK_DEPTH_MAX];
    const size_t size = SKIP_FRAMES + STACK_DEPTH_MAX;
    size_t depth = atomic_load_explicit(&is_early, memory_order_acquire)
                       ? probe_call_stack_early(frame, frames, size)
                       : probe_call_stack(frame, frames, size);
    if (depth == 0) {
        atomic_fetch_add_explicit(&lost, 1, memory_order_relaxed);
        return NULL;
    }
    size_t first = probe_recorder_skipped(frames, depth);
    depth -= first;
    if (depth > 0 && is_allocators_own(frames[first], first)) {
        return NULL;
    }
    depth = calls_leave_out(frames + first, depth);
    struct stack_record *stack = probe_record_of(
        frames + first, depth < STACK_DEPTH_MAX ? depth : STACK_DEPTH_MAX);
    if (stack == NULL) {
        atomic_fetch_add_explicit(&lost, 1, memory_order_relaxed);
    }
    return stack;
}

/* What a sample stands for, in blocks (times WEIGHT_UNIT) and bytes. */
static void weigh(uint64_t bytes, uint64_t *ret_weight, uint64_t *ret_bytes)
{
    double weight = probe_poisson_weight(bytes, period);
    *ret_weight = (uint64_t)(weight * WEIGHT_UNIT + 0.5);
    *ret_bytes = (uint64_t)(weight * (double)bytes + 0.5);
}

/* Counts a block for the stack, or takes it back with `sign` -1. */
static void count(struct stack_record *record, uint64_t bytes, int sign)
{
    uint64_t factor = (uint64_t)(int64_t)sign;
    atomic_fetch_add_explicit(&record->blocks, factor, memory_order_relaxed);
    atomic_fetch_add_explicit(&record->bytes, factor * bytes, memory_order_relaxed);
    if (probe_recorder_mode() == RECORDER_SAMPLED) {
        uint64_t weight;
        uint64_t weighted_bytes;
        weigh(bytes, &weight, &weighted_bytes);
        atomic_fetch_add_explicit(&record->weights, factor * weight,
                                  memory_order_relaxed);
        atomic_fetch_add_explicit(&record->weighted_bytes, factor * weighted_bytes,
                                  memory_order_relaxed);
    }
}

/* Notes a block in the table. Returns 0 or -ENOMEM. */
static int note_block(const void *block, struct recorder_note note)
{
    bool sampled = probe_recorder_mode() == RECORDER_SAMPLED;
    if (sampled) {
        atomic_fetch_add_explicit(filter_of(block), 1, memory_order_relaxed);
    }
    int error = probe_live_add((uintptr_t)block, note);
    if (error != 0) {
        atomic_fetch_add_explicit(&lost, 1, memory_order_relaxed);
        if (sampled) {
            atomic_fetch_sub_explicit(filter_of(block), 1, memory_order_relaxed);
        }
    }
    return error;
}

static __attribute__((noinline)) void record(const void *block, size_t bytes,
                                             const void *frame)
{
    int saved = errno;
    probe_inside++;
    struct stack_record *stack = record_of_caller(frame);
    if (stack != NULL) {
        /* Counted before it is noted: what is in use never exceeds what was
         * allocated. */
        count(stack, bytes, 1);
        if (note_block(block, (struct recorder_note){bytes, stack->number}) != 0) {
            count(stack, bytes, -1);
        }
    }
    probe_inside--;
    errno = saved;
}

void probe_recorder_allocated_by(const void *block, size_t bytes, const void *frame)
{
    if (block != NULL && probe_inside == 0 && wanted_block(bytes)) {
        record(block, bytes, frame);
    }
}

void probe_recorder_allocated(const void *block, size_t bytes)
{
    if (block != NULL && probe_inside == 0 && wanted_block(bytes)) {
        record(block, bytes, __builtin_frame_address(0));
    }
}

struct recorder_note probe_recorder_take(const void *block)
{
    struct recorder_note note = {0, 0};
    int now = atomic_load_explicit(&mode, memory_order_relaxed);
    if (now == RECORDER_OFF || block == NULL ||
        (now == RECORDER_SAMPLED &&
         atomic_load_explicit(filter_of(block), memory_order_relaxed) == 0)) {
        return note;
    }
    int saved = errno;
    bool wait = probe_inside == 0;
    probe_inside++;
    enum live_taken taken = probe_live_take((uintptr_t)block, wait, &note);
    probe_inside--;
    if (taken == LIVE_BUSY) {
        atomic_fetch_add_explicit(&lost, 1, memory_order_relaxed);
    } else if (taken == LIVE_TAKEN && now == RECORDER_SAMPLED) {
        atomic_fetch_sub_explicit(filter_of(block), 1, memory_order_relaxed);
    }
    errno = saved;
    return note;
}

void probe_recorder_freed(const void *block)
{
    probe_recorder_take(block);
}

void probe_recorder_put_back(struct recorder_note note, const void *block)
{
    if (note.stack != 0) {
        int saved = errno;
        probe_inside++;
        note_block(block, note);
        probe_inside--;
        errno = saved;
    }
}

void probe_recorder_jumped(void)
{
    if (probe_recorder_mode() != RECORDER_OFF) {
        atomic_fetch_add_explicit(&lost, 1, memory_order_relaxed);
    }
}

/* What is in use, summed over the blocks. */
struct live_sums {
    uint64_t weights;
    uint64_t bytes;
};

static void add_estimate(uintptr_t address, struct recorder_note note, void *argument)
{
    (void)address;
    struct live_sums *sums = argument;
    uint64_t weight;
    uint64_t bytes;
    weigh(note.bytes, &weight, &bytes);
    sums->weights += weight;
    sums->bytes += bytes;
}

static int64_t in_blocks(uint64_t weights)
{
    return (int64_t)((weights + WEIGHT_UNIT / 2) / WEIGHT_UNIT);
}

void probe_recorder_read_figures(struct recorder_figures *ret_figures)
{
    struct recorder_figures figures = {0};
    struct live_sums live = {0, 0};
    bool sampled = probe_recorder_mode() == RECORDER_SAMPLED;
    probe_inside++;
    /* What is in use first: it is then never more than what was allocated. */
    if (sampled) {
        probe_live_each(add_estimate, &live);
        live.weights = (uint64_t)in_blocks(live.weights);
    } else {
        probe_live_sums(&live.weights, &live.bytes);
    }
    uint64_t weights = 0;
    for (struct stack_record *stack = probe_record_newest(); stack != NULL;
         stack = stack->older) {
        figures.allocations += atomic_load(&stack->blocks);
        weights += atomic_load(&stack->weights);
        figures.allocated_bytes +=
            atomic_load(sampled ? &stack->weighted_bytes : &stack->bytes);
    }
    if (sampled) {
        figures.allocations = (uint64_t)in_blocks(weights);
    }
    figures.frees = figures.allocations - live.weights;
    figures.freed_bytes = figures.allocated_bytes - live.bytes;
    figures.own_bytes = probe_own_memory_bytes();
    figures.lost = atomic_load(&lost);
    figures.stacks = probe_record_count();
    probe_inside--;
    *ret_figures = figures;
}

uint64_t probe_recorder_missed(void)
{
    return atomic_load(&lost);
}

static void add_raw_to_stack(uintptr_t address, struct recorder_note note,
                             void *argument)
{
    (void)address;
    (void)argument;
    struct stack_record *stack = probe_record_at(note.stack);
    stack->live_blocks++;
    stack->live_bytes += note.bytes;
}

static void add_estimate_to_stack(uintptr_t address, struct recorder_note note,
                                  void *argument)
{
    (void)address;
    (void)argument;
    struct stack_record *stack = probe_record_at(note.stack);
    uint64_t weight;
    uint64_t bytes;
    weigh(note.bytes, &weight, &bytes);
    stack->live_blocks += weight;
    stack->live_bytes += bytes;
}

/* Copies the counts of one stack. Returns 0 or -ENOMEM. */
static int copy_stack(struct stack_record *stack, bool estimate,
                      struct stacks *ret_stacks)
{
    const int64_t raw[STACK_VALUES] = {
        (int64_t)atomic_load(&stack->blocks), (int64_t)atomic_load(&stack->bytes),
        (int64_t)stack->live_blocks, (int64_t)stack->live_bytes};
    const int64_t estimated[STACK_VALUES] = {
        in_blocks(atomic_load(&stack->weights)),
        (int64_t)atomic_load(&stack->weighted_bytes), in_blocks(stack->live_blocks),
        (int64_t)stack->live_bytes};
    if (raw[0] == 0) {
        return 0;
    }
    return probe_stacks_add(ret_stacks, stack->frames, stack->depth,
                            estimate ? estimated : raw, NULL);
}

int probe_recorder_snapshot(bool raw, struct stacks *ret_stacks)
{
    bool estimate = !raw && probe_recorder_mode() == RECORDER_SAMPLED;
    int error = 0;
    *ret_stacks = (struct stacks){0};
    probe_inside++;
    probe_lock_take(&reading);
    for (struct stack_record *stack = probe_record_newest(); stack != NULL;
         stack = stack->older) {
        stack->live_blocks = 0;
        stack->live_bytes = 0;
    }
    probe_live_each(estimate ? add_estimate_to_stack : add_raw_to_stack, NULL);
    for (struct stack_record *stack = probe_record_newest();
         stack != NULL && error == 0; stack = stack->older) {
        error = copy_stack(stack, estimate, ret_stacks);
    }
    probe_lock_give(&reading);
    probe_inside--;
    if (error != 0) {
        probe_stacks_release(ret_stacks);
    }
    return error;
}

void probe_recorder_fork_prepare(void)
{
    /* What the forking thread allocates until it has forked is not recorded: it would
     * wait for itself. */
    probe_inside++;
    probe_lock_take(&reading);
    probe_unwinder_hold();
    probe_rule_hold();
    probe_record_hold();
    probe_live_hold_all();
    probe_own_memory_hold();
}

static void fork_release(void)
{
    probe_own_memory_release();
    probe_live_release_all();
    probe_record_release();
    probe_rule_release();
    probe_lock_give(&reading);
    probe_inside--;
}

void probe_recorder_fork_parent(void)
{
    probe_unwinder_release();
    fork_release();
}

void probe_recorder_fork_child(void)
{
    probe_unwinder_fork_child();
    fork_release();
}
