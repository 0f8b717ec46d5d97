/*
 * All figures are from the one copy of the process, so they fit each other, even if
 * threads go on meanwhile. The roots need no names here.
 */
#include "probe/reach/exit_profile.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "probe/proto/profile_proto.h"
#include "probe/reach/reach.h"
#include "probe/recorder/inside.h"
#include "probe/recorder/stack_records.h"
#include "probe/stacks/hash_table.h"

#define TURN_LIMIT_MS 10000 /* for the question of somebody else */
#define TURN_LOOK_MS 5

/* The values of a sample, in their order. */
enum { INUSE_OBJECTS, INUSE_SPACE, LOST_OBJECTS, LOST_SPACE, EXIT_VALUES };

/* What a stack has: but for what is lost indirectly, and that. */
struct exit_stack {
    uint32_t stack; /* its number (stack_records.h) */
    int64_t plain[EXIT_VALUES];
    int64_t indirect[EXIT_VALUES];
};

/* All stacks that have something in use. */
struct exit_stacks {
    struct buffer items; /* struct exit_stack */
    struct table index;  /* by the stack's number: the item's, from 1 on */
};

static int no_names(struct shared_copy *copy, const struct process_parts *parts,
                    void *argument)
{
    (void)parts;
    (void)argument;
    for (uint32_t i = 0; i < copy->roots_count; i++) {
        copy->roots[i].holder = 0;
    }
    return 0;
}

static int wait_here(void *owner, unsigned ms)
{
    (void)owner;
    clock_sleep_ms(ms);
    return 0;
}

static int ask_in_turn(struct reach *ret_reach, pid_t *ret_stubborn)
{
    const struct reach_question question = {
        .name_roots = no_names, .exits = true, .sleep = wait_here};
    int64_t end = clock_now_ns() + TURN_LIMIT_MS * CLOCK_NS_PER_MS;
    int error;
    while ((error = probe_reach_ask(&question, ret_reach, ret_stubborn)) == -EBUSY &&
           clock_now_ns() < end) {
        clock_sleep_ms(TURN_LOOK_MS);
    }
    return error;
}

static void sums_add(struct reach_sums *sums, const struct reach_block *block)
{
    sums->objects++;
    sums->bytes += (int64_t)block->bytes;
}

static void block_add(struct exit_stack *stack, const struct reach_block *block,
                      struct exit_sums *sums)
{
    bool lost = block->holder == REACH_NONE;
    int64_t *values = lost && block->indirect ? stack->indirect : stack->plain;
    values[INUSE_OBJECTS]++;
    values[INUSE_SPACE] += (int64_t)block->bytes;
    sums_add(&sums->in_use, block);
    if (lost) {
        values[LOST_OBJECTS]++;
        values[LOST_SPACE] += (int64_t)block->bytes;
        sums_add(&sums->lost, block);
    }
    if (lost && !block->indirect) {
        sums_add(&sums->direct, block);
    }
}

static struct exit_stack *stack_at(const struct exit_stacks *stacks, size_t number)
{
    return (struct exit_stack *)(void *)stacks->items.data + number;
}

static size_t stack_count(const struct exit_stacks *stacks)
{
    return stacks->items.length / sizeof(struct exit_stack);
}

/* The item of the stack; a new one if there is none. NULL: memory is short. */
static struct exit_stack *stack_of(struct exit_stacks *stacks, uint32_t stack)
{
    uint32_t *number = probe_table_at(&stacks->index, stack);
    if (number == NULL) {
        return NULL;
    }
    if (*number == 0) {
        const struct exit_stack new = {.stack = stack};
        buffer_append(&stacks->items, &new, sizeof(new));
        if (stacks->items.error != 0) {
            return NULL;
        }
        *number = (uint32_t)stack_count(stacks);
    }
    return stack_at(stacks, *number - 1);
}

/* Adds up the copy's blocks. Returns 0 or -ENOMEM. */
static int blocks_add(const struct shared_copy *copy, struct exit_stacks *stacks,
                      struct exit_sums *ret_sums)
{
    struct exit_sums sums = {.stacks = 0};
    for (uint32_t i = 0; i < copy->blocks_count; i++) {
        struct exit_stack *stack = stack_of(stacks, copy->blocks[i].stack);
        if (stack == NULL) {
            return -ENOMEM;
        }
        block_add(stack, &copy->blocks[i], &sums);
    }
    sums.stacks = stack_count(stacks);
    *ret_sums = sums;
    return 0;
}

static void indirect_write(struct profile_writer *writer,
                           const struct stack_record *record, const int64_t *values)
{
    static const struct profile_label indirect = {"indirect", "yes"};
    uint32_t places[STACK_DEPTH_MAX];
    size_t count = 0;
    if (values[INUSE_OBJECTS] == 0) {
        return;
    }
    for (; count < record->depth && count < STACK_DEPTH_MAX; count++) {
        places[count] = probe_profile_place(writer, record->frames[count]);
    }
    probe_profile_add_places(writer, places, count, values, &indirect);
}

static void comment_write(const struct exit_sums *sums, const struct reach *reach,
                          struct buffer *text)
{
    buffer_printf(text,
                  "at exit: in use %lld blocks, %lld bytes; lost %lld blocks, %lld "
                  "bytes, %lld of them directly; %zu threads stopped for %.1f ms",
                  (long long)sums->in_use.objects, (long long)sums->in_use.bytes,
                  (long long)sums->lost.objects, (long long)sums->lost.bytes,
                  (long long)sums->direct.objects, reach->copy->threads_count,
                  (double)reach->stopped_ns / CLOCK_NS_PER_MS);
    if (reach->copy->inexact > 0) {
        buffer_printf(text, "; %zu without all registers", reach->copy->inexact);
    }
    if (reach->copy->not_read > 0) {
        buffer_printf(text, "; %zu mappings not read", reach->copy->not_read);
    }
    if (reach->copy->heap_unsure) {
        buffer_printf(text, "; not all of the allocator's memory is known, so some of "
                            "what is lost may be missing");
    }
}

static int stacks_write(const struct exit_stacks *stacks, const char *comment,
                        struct buffer *ret_profile)
{
    const struct profile_description description = {
        .types = {[INUSE_OBJECTS] = {"inuse_objects", "count"},
                  [INUSE_SPACE] = {"inuse_space", "bytes"},
                  [LOST_OBJECTS] = {"lost_objects", "count"},
                  [LOST_SPACE] = {"lost_space", "bytes"}},
        .period_type = {"space", "bytes"},
        .period = 1, /* every block is counted, none is sampled */
        .default_type = "inuse_space",
        .time_ns = probe_profile_now(),
        .comment = comment};
    struct profile_writer *writer = probe_profile_begin(EXIT_VALUES);
    for (size_t i = 0; i < stack_count(stacks); i++) {
        const struct exit_stack *stack = stack_at(stacks, i);
        const struct stack_record *record = probe_record_at(stack->stack);
        probe_profile_add(writer, record->frames, record->depth, stack->plain);
        indirect_write(writer, record, stack->indirect);
    }
    return probe_profile_end(writer, &description, ret_profile);
}

static int profile_write(const struct reach *reach, struct buffer *ret_profile,
                         struct exit_sums *ret_sums)
{
    struct exit_stacks stacks = {.items = {0}};
    struct buffer comment = {0};
    int error = blocks_add(reach->copy, &stacks, ret_sums);
    if (error == 0) {
        comment_write(ret_sums, reach, &comment);
        error = stacks_write(&stacks, comment.data, ret_profile);
    }
    buffer_release(&stacks.items);
    probe_table_release(&stacks.index);
    buffer_release(&comment);
    return error;
}

int probe_reach_exit_proto(struct buffer *ret_profile, struct exit_sums *ret_sums,
                           pid_t *ret_stubborn)
{
    struct reach reach;
    probe_inside++;
    int error = ask_in_turn(&reach, ret_stubborn);
    if (error == 0) {
        error = profile_write(&reach, ret_profile, ret_sums);
        probe_reach_release(&reach);
    }
    probe_inside--;
    return error;
}
