/*
 * Each different stack is formatted once and then copied: of 10,000 stuck threads
 * nearly all have the same stack.
 */
#include "probe/threads/thread_profile.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "probe/proto/profile_proto.h"
#include "probe/symbols/frame_text.h"
#include "probe/symbols/symbols.h"

int probe_thread_profile_proto(const struct threads *threads, const char *type,
                               struct buffer *ret_profile)
{
    struct profile_description description = {
        .types = {{type, "count"}},
        .period_type = {type, "count"},
        .period = 1,
        .default_type = type,
        .time_ns = probe_profile_now(),
        .rest_name = "thread_did_not_answer",
        .rest = {(int64_t)threads->silent},
    };
    return probe_profile_write(&threads->stacks, &description, ret_profile);
}

/* Appends the numbers of all stacks, those with the most threads first. Stacks with
 * equally many threads keep their order. */
static int stacks_order(const struct stacks *stacks, struct buffer *order)
{
    uint32_t *numbers = (void *)buffer_reserve(order, stacks->count * sizeof(*numbers));
    if (numbers == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < stacks->count; i++) {
        int64_t value = probe_stacks_at(stacks, i)->values[0];
        size_t low = 0;
        size_t high = i;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (probe_stacks_at(stacks, numbers[middle])->values[0] >= value) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        memmove(numbers + low + 1, numbers + low, (i - low) * sizeof(*numbers));
        numbers[low] = (uint32_t)i;
    }
    buffer_extend(order, stacks->count * sizeof(*numbers));
    return 0;
}

static void group_append(const struct stacks *stacks, size_t number,
                         struct buffer *text)
{
    const struct stack *stack = probe_stacks_at(stacks, number);
    const uintptr_t *frames = probe_stacks_frames(stacks, stack);
    buffer_printf(text, "%lld @", (long long)stack->values[0]);
    probe_frame_addresses(text, frames, stack->depth);
    buffer_append(text, "\n", 1);
    for (size_t i = 0; i < stack->depth; i++) {
        probe_frame_comment(text, frames[i] + 1, frames[i]);
    }
    buffer_append(text, "\n", 1);
}

static void silent_append(const struct threads *threads, struct buffer *text)
{
    if (threads->silent == 0) {
        return;
    }
    buffer_printf(
        text,
        "# %zu did not answer: they block signal %d, were held up, or have ended.\n",
        threads->silent, probe_threads_signal());
    for (size_t i = 0; i < threads->count; i++) {
        const struct thread_entry *entry = probe_threads_at(threads, i);
        if (entry->stack == THREADS_NO_STACK) {
            buffer_printf(text, "#\tthread %d\n", (int)entry->tid);
        }
    }
    buffer_append(text, "\n", 1);
}

/* Appends the mappings in the format of /proc/<pid>/maps: go tool pprof finds the files
 * with them. */
static void mappings_append(struct buffer *text)
{
    buffer_text(text, "--- Memory map: ---\n");
    size_t number = 0;
    const struct module *module = NULL;
    while ((module = probe_symbols_module_next(&number)) != NULL) {
        buffer_printf(text, "%llx-%llx r-xp %08llx 00:00 0 %s\n",
                      (unsigned long long)module->start,
                      (unsigned long long)module->end,
                      (unsigned long long)module->offset, module->path);
    }
}

int probe_thread_profile_text(const struct threads *threads, struct buffer *ret_text)
{
    probe_symbols_load();
    struct buffer order = {0};
    if (stacks_order(&threads->stacks, &order) != 0) {
        ret_text->error = -ENOMEM;
        return -ENOMEM;
    }
    const uint32_t *numbers = (const uint32_t *)(const void *)order.data;
    buffer_printf(ret_text, "threads profile: total %zu\n", threads->count);
    for (size_t i = 0; i < threads->stacks.count; i++) {
        group_append(&threads->stacks, numbers[i], ret_text);
    }
    buffer_release(&order);
    silent_append(threads, ret_text);
    mappings_append(ret_text);
    return ret_text->error;
}

/* The word of proc(5) for a state, with a plainer word where proc(5) uses an old
 * term. */
static const char *state_name(char state)
{
    switch (state) {
    case 'R':
        return "running";
    case 'S':
        return "sleeping";
    case 'D':
        return "waiting in the kernel";
    case 'T':
        return "stopped";
    case 't':
        return "stopped by a debugger";
    case 'Z':
    case 'X':
        return "dead";
    default:
        return "state unknown";
    }
}

/* Appends `thread 4243 "name" [sleeping, at least 12 s]:`. */
static void thread_heading(const struct thread_entry *entry,
                           const struct thread_remarks *remarks, struct buffer *text)
{
    buffer_printf(text, "thread %d \"%s\" [%s", (int)entry->tid, entry->name,
                  state_name(entry->state));
    if (entry->state != 'R' && entry->waited_ns >= 10 * CLOCK_NS_PER_SECOND) {
        buffer_printf(text, ", at least %lld s",
                      (long long)(entry->waited_ns / CLOCK_NS_PER_SECOND));
    } else if (entry->state != 'R') {
        int64_t tenths = entry->waited_ns / (CLOCK_NS_PER_SECOND / 10);
        buffer_printf(text, ", at least %lld.%lld s", (long long)(tenths / 10),
                      (long long)(tenths % 10));
    }
    if (remarks != NULL) {
        remarks->append(remarks->owner, entry->tid, text);
    }
    buffer_text(text, "]:\n");
}

/* The formatted frames of one stack, as a place in a buffer. */
struct block {
    size_t offset;
    size_t length;
};

/* Formats the frames of every stack once. */
static int blocks_write(const struct stacks *stacks, struct buffer *text,
                        struct buffer *index)
{
    for (size_t i = 0; i < stacks->count; i++) {
        const struct stack *stack = probe_stacks_at(stacks, i);
        const uintptr_t *frames = probe_stacks_frames(stacks, stack);
        struct block block = {.offset = text->length};
        for (size_t j = 0; j < stack->depth; j++) {
            probe_frame_block(text, frames[j]);
        }
        block.length = text->length - block.offset;
        buffer_append(index, &block, sizeof(block));
    }
    return text->error != 0 ? text->error : index->error;
}

int probe_thread_profile_blocks(const struct threads *threads,
                                const struct thread_remarks *remarks,
                                struct buffer *ret_text)
{
    probe_symbols_load();
    struct buffer text = {0};
    struct buffer index = {0};
    int error = blocks_write(&threads->stacks, &text, &index);
    const struct block *blocks = (const struct block *)(const void *)index.data;
    for (size_t i = 0; i < threads->count && error == 0; i++) {
        const struct thread_entry *entry = probe_threads_at(threads, i);
        thread_heading(entry, remarks, ret_text);
        if (entry->stack == THREADS_NO_STACK && entry->state == 'Z') {
            buffer_text(ret_text, "no stack: it has ended\n");
        } else if (entry->stack == THREADS_NO_STACK) {
            buffer_printf(ret_text,
                          "no stack: it blocks signal %d, or was held up for %d ms\n",
                          probe_threads_signal(), THREADS_TIME_LIMIT_MS);
        } else {
            const struct block *block = &blocks[entry->stack];
            buffer_append(ret_text, text.data + block->offset, block->length);
        }
        buffer_append(ret_text, "\n", 1);
        error = ret_text->error;
    }
    buffer_release(&text);
    buffer_release(&index);
    ret_text->error = error;
    return error;
}
