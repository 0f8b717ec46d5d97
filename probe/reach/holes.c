#include "probe/reach/holes.h"

#include "probe/reach/glibc_memory.h"
#include "probe/reach/maps_text.h"
#include "probe/reach/thread_memory.h"
#include "probe/reach/used_pages.h"

#define PAGE ((uintptr_t)4096)
#define POINTER_ALIGNMENT 64 /* of a thread's pointer */

/* Parts of private memory that are smaller are not worth leaving out. */
#define UNUSED_BYTES ((uintptr_t)256 * 1024)

/* The number of the first block at the address or behind it. */
static uint32_t block_from(const struct block_index *index, uintptr_t address)
{
    uint32_t low = 0;
    uint32_t high = index->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (index->blocks[middle].address < address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The end of what the allocator has mapped around the address; 0: nothing. */
static uintptr_t heap_end(const struct regions_input *input, uintptr_t address)
{
    size_t at = probe_ranges_from(input->heap, input->heap_count, address);
    bool is_in = at < input->heap_count && input->heap[at].start <= address;
    return is_in ? input->heap[at].end : 0;
}

/* Whether the mapping has a block that is in none of the holes so far: then all of it
 * is the allocator's. */
static bool has_block(const struct regions_input *input, struct range range)
{
    const struct block_index *index = input->index;
    uint32_t number = block_from(index, range.start);
    while (number < index->count) {
        const struct reach_block *block = &index->blocks[number];
        if (block->address >= range.end) {
            return false;
        }
        uintptr_t end = heap_end(input, block->address);
        if (end != 0) {
            number = block_from(index, end);
            continue;
        }
        if (!input->glibc || probe_glibc_range(block).start == 0) {
            return true;
        }
        number++;
    }
    return false;
}

static bool has_stack(const struct regions_input *input, struct range range)
{
    for (size_t i = 0; i < input->threads_count; i++) {
        if (range_has(range, input->threads[i].sp)) {
            return true;
        }
    }
    return false;
}

static bool is_alive(const struct regions_input *input, uintptr_t pointer)
{
    pid_t tid = probe_thread_tid(&input->parts->layout, pointer);
    for (size_t i = 0; i < input->threads_count; i++) {
        if (input->threads[i].pointer == pointer || input->threads[i].tid == tid) {
            return true;
        }
    }
    return false;
}

/* The stack of a thread that has ended is a hole: it waits for the next thread. What
 * the C library knows of the ended one is at the upper end, and still leads to the
 * table of its variables ("dtv" of tcbhead_t), which is freed or used again later: it
 * is not lost. If nobody has joined the thread, its result is still to be had. */
static void ended_add(const struct regions_input *input, struct holes *holes,
                      uintptr_t pointer, struct range stack)
{
    uintptr_t table = pointer + sizeof(uintptr_t);
    probe_ranges_add(&holes->ranges, stack.start, stack.end);
    if (probe_thread_stack_is_in_use(&input->parts->layout, pointer, input->own_pointer,
                                     input->main_asks)) {
        probe_ranges_add(&holes->kept, pointer, stack.end);
    } else {
        probe_ranges_add(&holes->kept, table, table + sizeof(table));
    }
}

/* Whether the pointer is of the thread whose stack begins with the mapping. If that
 * thread has ended, its stack is a hole. */
static bool is_first_stack(const struct regions_input *input, struct holes *holes,
                           struct range mapping, uintptr_t pointer)
{
    uintptr_t guard = 0;
    struct range stack = probe_thread_stack(&input->parts->layout, pointer, &guard);
    if (stack.end == 0 || guard == 0 || stack.start + guard != mapping.start ||
        stack.end > mapping.end) {
        return false;
    }
    if (!is_alive(input, pointer)) {
        stack.start = mapping.start;
        ended_add(input, holes, pointer, stack);
    }
    return true;
}

/* A stack that the C library has mapped begins with its guard, which cannot be read; so
 * the readable mapping begins right behind that. */
static void stack_look(const struct regions_input *input, struct holes *holes,
                       struct range mapping)
{
    const struct thread_layout *layout = &input->parts->layout;
    if (layout->stack == 0 || layout->tid == 0) {
        return;
    }
    struct range used = {mapping.start, mapping.start};
    uintptr_t last = mapping.end - THREAD_MEMORY_BYTES / 2;
    while (probe_used_pages_next(used.end, mapping.end, false, &used)) {
        for (uintptr_t at = used.start; at < used.end && at < last;
             at += POINTER_ALIGNMENT) {
            if (probe_thread_pointer_is(at) &&
                is_first_stack(input, holes, mapping, at)) {
                return; /* behind the next stack is another guard */
            }
        }
    }
}

/* The large parts of private memory that the program has never used; and whatever it
 * has not used of shared memory. */
static void unused_add(const struct regions_input *input, struct holes *holes,
                       const struct maps_line *line)
{
    bool shared = probe_maps_line_is_shared_memory(line);
    bool private = !line->shared && line->path_bytes == 0;
    struct range used = {line->range.start, line->range.start};
    uintptr_t least = shared ? PAGE : UNUSED_BYTES;
    uintptr_t end = line->range.end;
    bool found = false;
    if (!shared && (!private || end - used.end < least)) {
        return;
    }
    while (used.end < end) {
        uintptr_t at = used.end;
        if (!probe_used_pages_next(at, end, shared, &used)) {
            used = (struct range){end, end};
        }
        if (used.start - at >= least) {
            probe_ranges_add(&holes->ranges, at, used.start);
            found = true;
        }
    }
    if (found && shared && probe_used_pages_may_miss_shared()) {
        (*input->not_read)++;
    }
}

/* The holes that a mapping shows. `behind_guard`: right before it is memory that cannot
 * be read. */
static void mapping_look(const struct regions_input *input, struct holes *holes,
                         const struct maps_line *line, bool behind_guard)
{
    struct range mapping = line->range;
    if (!line->readable || probe_maps_line_is_special(line)) {
        return;
    }
    unused_add(input, holes, line);
    if (probe_maps_line_is(line, "[heap]")) {
        /* Only if the allocator uses it. */
        if (has_block(input, mapping) || input->glibc) {
            probe_ranges_add(&holes->ranges, mapping.start, mapping.end);
        }
    } else if (line->writable && !has_stack(input, mapping) &&
               has_block(input, mapping)) {
        probe_ranges_add(&holes->ranges, mapping.start, mapping.end);
    } else if (line->path_bytes == 0 && line->writable) {
        if (input->glibc) {
            probe_glibc_arenas(mapping, &holes->ranges);
        }
        if (behind_guard) {
            stack_look(input, holes, mapping);
        }
    }
}

/* The thread-local variables of the allocator and the probe: jemalloc keeps some upper
 * bits of addresses there, which may be those of a large block. */
static void locals_add(const struct regions_input *input, struct holes *holes)
{
    for (size_t i = 0; i < input->parts->tls_count; i++) {
        const struct tls_part *part = &input->parts->tls[i];
        for (size_t j = 0; part->left_out && j < input->threads_count; j++) {
            uintptr_t start = input->threads[j].pointer - part->below;
            if (input->threads[j].pointer != 0) {
                probe_ranges_add(&holes->ranges, start, start + part->bytes);
            }
        }
    }
}

void probe_holes_find(const struct regions_input *input, struct holes *ret_holes)
{
    const struct process_parts *parts = input->parts;
    struct holes holes = {0};
    for (size_t i = 0; i < input->own_count; i++) {
        probe_ranges_add(&holes.ranges, input->own[i].start, input->own[i].end);
    }
    for (size_t i = 0; i < input->heap_count; i++) {
        probe_ranges_add(&holes.ranges, input->heap[i].start, input->heap[i].end);
    }
    probe_ranges_add(&holes.ranges, input->here.start, input->here.end);
    locals_add(input, &holes);
    for (size_t i = 0; i < parts->segments_count; i++) {
        const struct data_segment *segment = &parts->segments[i];
        if (segment->left_out) {
            probe_ranges_add(&holes.ranges, segment->start, segment->end);
        }
    }
    if (input->glibc) {
        probe_glibc_blocks(input->index, &holes.ranges);
    }
    struct maps_line line;
    uintptr_t guard_end = 0;
    for (const char *at = input->maps;
         (at = probe_maps_line_read(at, &line)) != NULL;) {
        mapping_look(input, &holes, &line, guard_end == line.range.start);
        guard_end = line.readable ? 0 : line.range.end;
    }
    probe_ranges_sort(&holes.ranges);
    *ret_holes = holes;
}

void probe_holes_release(struct holes *holes)
{
    probe_ranges_release(&holes->ranges);
    probe_ranges_release(&holes->kept);
}
