/*
 * Every mapping is cut into what it is: a library's data, a stack, a thread's
 * variables, other memory. From each part the holes are then taken away.
 */
#include "probe/reach/regions.h"

#include <sys/mman.h>

#include "probe/reach/holes.h"
#include "probe/reach/maps_text.h"
#include "probe/reach/thread_memory.h"

/* Memory without access is searched up to this size: more is mostly not used at all. */
#define NO_ACCESS_BYTES ((uintptr_t)16 * 1024 * 1024)

struct work {
    const struct regions_input *input;
    struct holes holes;
    struct range *stacks; /* each thread's own; {0, 0}: not known */
    struct reach_region *regions;
    size_t count; /* more than `room`: the rest is left out */
    size_t room;
};

static void region_add(struct work *work, struct reach_region region)
{
    if (region.start < region.end && work->count++ < work->room) {
        work->regions[work->count - 1] = region;
    }
}

/* Adds the region without its holes. */
static void region_add_rest(struct work *work, struct reach_region region)
{
    const struct ranges *holes = &work->holes.ranges;
    size_t hole = probe_ranges_from(holes->data, holes->count, region.start);
    for (; hole < holes->count && holes->data[hole].start < region.end; hole++) {
        struct reach_region before = region;
        before.end = holes->data[hole].start;
        region_add(work, before);
        region.start = holes->data[hole].end;
    }
    region_add(work, region);
}

static void global_add(struct work *work, struct range range,
                       const struct data_segment *segment)
{
    region_add_rest(work, (struct reach_region){range.start, range.end, REACH_NONE,
                                                REACH_GLOBAL, segment->libc});
}

/* What the segment has of the range; both ends are equal if it has nothing. */
static struct range segment_within(const struct data_segment *segment,
                                   struct range range)
{
    return (struct range){probe_range_clamp(range, segment->start),
                          probe_range_clamp(range, segment->end)};
}

/* Adds a part of a mapping that is no thread's: what a data segment covers is global.
 */
static void part_add(struct work *work, struct range part, uint32_t thread,
                     enum reach_kind kind)
{
    const struct process_parts *parts = work->input->parts;
    for (size_t i = 0; i < parts->segments_count && kind == REACH_MAPPING; i++) {
        struct range global = segment_within(&parts->segments[i], part);
        if (global.start < global.end) {
            region_add_rest(work, (struct reach_region){part.start, global.start,
                                                        thread, kind, false});
            global_add(work, global, &parts->segments[i]);
            part.start = global.end;
        }
    }
    region_add_rest(work,
                    (struct reach_region){part.start, part.end, thread, kind, false});
}

/* Adds a range that may have the thread's variables, and behind them what the C library
 * keeps of the thread. */
static void thread_part_add(struct work *work, struct range range, uint32_t thread,
                            enum reach_kind kind)
{
    uintptr_t pointer = work->input->threads[thread].pointer;
    uintptr_t from = 0;
    uintptr_t middle = 0;
    uintptr_t to = 0;
    if (pointer != 0) {
        from = probe_range_clamp(range, pointer - work->input->parts->tls_bytes);
        middle = probe_range_clamp(range, pointer);
        to = probe_range_clamp(range, pointer + THREAD_MEMORY_BYTES);
    }
    if (from >= to) {
        part_add(work, range, kind == REACH_STACK ? thread : REACH_NONE, kind);
        return;
    }
    part_add(work, (struct range){range.start, from},
             kind == REACH_STACK ? thread : REACH_NONE, kind);
    region_add_rest(
        work, (struct reach_region){from, middle, thread, REACH_THREAD_LOCAL, false});
    region_add_rest(work,
                    (struct reach_region){middle, to, thread, REACH_THREAD, false});
    part_add(work, (struct range){to, range.end}, REACH_NONE, REACH_MAPPING);
}

/* The thread whose value lies in the range and is the smallest one above `after`;
 * REACH_NONE if there is none. */
static uint32_t thread_next(const struct regions_input *input, bool by_pointer,
                            struct range range, uintptr_t after)
{
    uint32_t best = REACH_NONE;
    uintptr_t best_value = range.end;
    for (size_t i = 0; i < input->threads_count; i++) {
        const struct parked_thread *thread = &input->threads[i];
        uintptr_t value = by_pointer ? thread->pointer : thread->sp;
        if (value != 0 && value > after && value < best_value) {
            best = (uint32_t)i;
            best_value = value;
        }
    }
    return best;
}

/* A mapping with stacks that are not the C library's: each reaches from its stack
 * pointer to the next one's. What is below the first is not in use if it is the
 * kernel's stack of the main thread; else it may be anything. */
static void stacks_add(struct work *work, const struct maps_line *line,
                       struct range range, uint32_t first)
{
    const struct regions_input *input = work->input;
    if (!probe_maps_line_is(line, "[stack]")) {
        struct range below = {range.start, input->threads[first].sp};
        part_add(work, below, REACH_NONE, REACH_MAPPING);
    }
    for (uint32_t thread = first; thread != REACH_NONE;) {
        uintptr_t sp = input->threads[thread].sp;
        uint32_t next = thread_next(input, false, range, sp);
        uintptr_t end = next == REACH_NONE ? range.end : input->threads[next].sp;
        thread_part_add(work, (struct range){sp, end}, thread, REACH_STACK);
        thread = next;
    }
}

/* A part of a mapping in which no thread has its own stack. */
static void part_without_stack_add(struct work *work, const struct maps_line *line,
                                   struct range range)
{
    const struct regions_input *input = work->input;
    uint32_t first = thread_next(input, false, range, range.start - 1);
    if (first != REACH_NONE) {
        stacks_add(work, line, range, first);
        return;
    }
    if (input->main_frames != 0 && probe_maps_line_is(line, "[stack]")) {
        /* What the main thread has left there counts no more; the arguments and the
         * environment above do. */
        range.start = probe_range_clamp(range, input->main_frames);
    }
    uint32_t local = thread_next(input, true, range, range.start - 1);
    if (local != REACH_NONE && input->threads[local].sp != 0) {
        thread_part_add(work, range, local, REACH_MAPPING);
        return;
    }
    part_add(work, range, local, local == REACH_NONE ? REACH_MAPPING : REACH_STACK);
}

/* The thread's own stack: what is below its stack pointer is not in use. If that is
 * elsewhere, all of it is; but the agent, which answers on another stack, has left
 * there only what is its own, below its thread-local variables. */
static void own_stack_add(struct work *work, struct range stack, uint32_t thread)
{
    const struct regions_input *input = work->input;
    uintptr_t sp = input->threads[thread].sp;
    uintptr_t pointer = input->threads[thread].pointer;
    bool is_here = range_has(stack, sp);
    stack.start = is_here ? sp : stack.start;
    if (!is_here && input->agent_asks && pointer == input->own_pointer) {
        stack.start = probe_range_clamp(stack, pointer - input->parts->tls_bytes);
    }
    bool is_mapping = !is_here && sp != 0;
    thread_part_add(work, stack, thread, is_mapping ? REACH_MAPPING : REACH_STACK);
}

/* The thread whose own stack is the first one in the range; ret_stack gets it, as far
 * as it is in the range. REACH_NONE: there is none. */
static uint32_t own_stack_first(const struct work *work, struct range range,
                                struct range *ret_stack)
{
    uint32_t first = REACH_NONE;
    for (size_t i = 0; i < work->input->threads_count; i++) {
        struct range stack = work->stacks[i];
        if (stack.start < range.end && stack.end > range.start &&
            (first == REACH_NONE || stack.start < ret_stack->start)) {
            first = (uint32_t)i;
            *ret_stack = stack;
        }
    }
    ret_stack->start = probe_range_clamp(range, ret_stack->start);
    ret_stack->end = probe_range_clamp(range, ret_stack->end);
    return first;
}

/* Adds what a mapping of data segments alone has of them. */
static void segments_add(struct work *work, struct range mapping)
{
    const struct process_parts *parts = work->input->parts;
    for (size_t i = 0; i < parts->segments_count; i++) {
        const struct data_segment *segment = &parts->segments[i];
        global_add(work, segment_within(segment, mapping), segment);
    }
}

/* Makes memory without access readable, in this copy of the process alone. */
static bool is_opened(const struct maps_line *line)
{
    size_t bytes = line->range.end - line->range.start;
    return line->path_bytes == 0 && bytes <= NO_ACCESS_BYTES &&
           mprotect((void *)line->range.start, bytes, PROT_READ) == 0;
}

static void line_add(struct work *work, const struct maps_line *line)
{
    bool anonymous = line->path_bytes == 0 || line->path[0] == '[';
    if (probe_maps_line_is_special(line) || (!line->readable && !is_opened(line))) {
        return;
    }
    if (!line->writable && !anonymous) {
        segments_add(work, line->range); /* made read-only when they were ready */
        return;
    }
    struct range rest = line->range;
    struct range stack = {0, 0};
    uint32_t thread;
    while (rest.start < rest.end &&
           (thread = own_stack_first(work, rest, &stack)) != REACH_NONE) {
        if (rest.start < stack.start) {
            part_without_stack_add(work, line, (struct range){rest.start, stack.start});
        }
        own_stack_add(work, stack, thread);
        rest.start = stack.end;
    }
    if (rest.start < rest.end) {
        part_without_stack_add(work, line, rest);
    }
}

size_t probe_regions_idle(const struct regions_input *input, struct range *parts)
{
    const struct thread_layout *layout = &input->parts->layout;
    size_t count = 0;
    for (size_t i = 0; i < input->threads_count; i++) {
        struct range stack =
            probe_thread_stack(layout, input->threads[i].pointer, NULL);
        uintptr_t sp = input->threads[i].sp;
        bool is_in_block = probe_block_index_find(input->index, sp) != REACH_NONE;
        if (is_in_block && sp > stack.start && sp < stack.end) {
            parts[count++] = (struct range){stack.start, sp};
        }
    }
    return count;
}

/* Notes the stack of each thread. Returns false if memory is short. */
static bool stacks_find(struct work *work)
{
    const struct thread_layout *layout = &work->input->parts->layout;
    const struct parked_thread *threads = work->input->threads;
    size_t count = work->input->threads_count;
    work->stacks = mmap(NULL, (count + 1) * sizeof(*work->stacks),
                        PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; work->stacks != MAP_FAILED && i < count; i++) {
        work->stacks[i] = probe_thread_stack(layout, threads[i].pointer, NULL);
    }
    return work->stacks != MAP_FAILED;
}

/* A thread that has ended leaves memory that counts. */
static void kept_add(struct work *work)
{
    for (size_t i = 0; i < work->holes.kept.count; i++) {
        struct range kept = work->holes.kept.data[i];
        region_add(work, (struct reach_region){kept.start, kept.end, REACH_NONE,
                                               REACH_THREAD, false});
    }
}

long probe_regions_make(const struct regions_input *input, struct reach_region *regions,
                        size_t room)
{
    struct work work = {.input = input, .regions = regions, .room = room};
    struct maps_line line;
    if (!stacks_find(&work)) {
        return -1;
    }
    probe_holes_find(input, &work.holes);
    kept_add(&work);
    for (const char *at = input->maps;
         (at = probe_maps_line_read(at, &line)) != NULL;) {
        line_add(&work, &line);
    }
    bool failed = work.holes.ranges.failed || work.holes.kept.failed;
    probe_holes_release(&work.holes);
    munmap(work.stacks, (input->threads_count + 1) * sizeof(*work.stacks));
    return failed ? -1 : (long)work.count;
}
