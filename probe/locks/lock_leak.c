#include "probe/locks/lock_leak.h"

#include <errno.h>
#include <stdlib.h>

#include "probe/proto/profile_proto.h"
#include "probe/symbols/frame_text.h"
#include "probe/symbols/symbols.h"

#define TYPE "goroutineleak"

/* What has no stack has this address in the text, which go tool pprof wants to have. */
#define NO_ADDRESS "0x1"
#define NO_STACK "thread_did_not_answer"

/* Threads with the same stack and the same reason. */
struct group {
    size_t stack; /* THREADS_NO_STACK: it is not known */
    const char *reason;
    size_t threads;
};

static const char *reason_of(enum lock_verdict verdict)
{
    static const char *const reasons[] = {
        [LOCK_WAITS] = NULL,
        [LOCK_DEADLOCK] = "deadlock",
        [LOCK_NEVER_RELEASED] = "never released",
        [LOCK_STUCK] = "stuck",
    };
    return reasons[verdict];
}

static size_t group_count(const struct buffer *groups)
{
    return groups->length / sizeof(struct group);
}

static struct group *groups_of(const struct buffer *groups)
{
    return (struct group *)(void *)groups->data;
}

static void thread_add(struct buffer *groups, size_t stack, const char *reason)
{
    for (size_t i = 0; i < group_count(groups); i++) {
        struct group *group = &groups_of(groups)[i];
        if (group->stack == stack && group->reason == reason) {
            group->threads++;
            return;
        }
    }
    const struct group group = {.stack = stack, .reason = reason, .threads = 1};
    buffer_append(groups, &group, sizeof(group));
}

static int group_larger(const void *one, const void *other)
{
    const struct group *first = one;
    const struct group *second = other;
    if (first->threads != second->threads) {
        return first->threads > second->threads ? -1 : 1;
    }
    return first->stack < second->stack ? -1 : first->stack > second->stack;
}

/* Adds up the threads, largest group first. Returns how many there are. */
static size_t groups_make(const struct lock_view *view, struct buffer *groups)
{
    size_t threads = 0;
    for (size_t i = 0; i < view->waiter_count; i++) {
        const struct lock_waiter *waiter = probe_lock_waiter_at(view, i);
        const char *reason = reason_of(waiter->verdict);
        if (reason != NULL) {
            const struct thread_entry *entry =
                probe_lock_thread_of(view, waiter->note.tid);
            thread_add(groups, entry == NULL ? THREADS_NO_STACK : entry->stack, reason);
            threads++;
        }
    }
    if (group_count(groups) > 0) {
        qsort(groups->data, group_count(groups), sizeof(struct group), group_larger);
    }
    return threads;
}

static void group_add(const struct stacks *stacks, const struct group *group,
                      struct profile_writer *writer)
{
    uint32_t places[STACK_DEPTH_MAX];
    size_t count = 0;
    if (group->stack == THREADS_NO_STACK) {
        places[count++] = probe_profile_place_named(writer, NO_STACK, NULL, 0);
    } else {
        const struct stack *stack = probe_stacks_at(stacks, group->stack);
        const uintptr_t *frames = probe_stacks_frames(stacks, stack);
        for (; count < stack->depth && count < STACK_DEPTH_MAX; count++) {
            places[count] = probe_profile_place(writer, frames[count]);
        }
    }
    const int64_t values[STACK_VALUES] = {(int64_t)group->threads};
    probe_profile_add_places(writer, places, count, values,
                             &(struct profile_label){"reason", group->reason});
}

int probe_lock_leak_proto(const struct lock_view *view, struct buffer *ret_profile)
{
    struct profile_description description = {
        .types = {{TYPE, "count"}},
        .period_type = {TYPE, "count"},
        .period = 1,
        .default_type = TYPE,
        .time_ns = probe_profile_now(),
    };
    struct buffer groups = {0};
    groups_make(view, &groups);
    struct profile_writer *writer = probe_profile_begin(1);
    for (size_t i = 0; i < group_count(&groups); i++) {
        group_add(&view->threads.stacks, &groups_of(&groups)[i], writer);
    }
    int error = probe_profile_end(writer, &description, ret_profile);
    error = error != 0 ? error : groups.error;
    buffer_release(&groups);
    return error;
}

static void group_write(const struct stacks *stacks, const struct group *group,
                        struct buffer *text)
{
    const struct stack *stack =
        group->stack == THREADS_NO_STACK ? NULL : probe_stacks_at(stacks, group->stack);
    const uintptr_t *frames = stack == NULL ? NULL : probe_stacks_frames(stacks, stack);
    buffer_printf(text, "%zu @", group->threads);
    if (stack == NULL) {
        buffer_text(text, " " NO_ADDRESS);
    } else {
        probe_frame_addresses(text, frames, stack->depth);
    }
    buffer_printf(text, "\n# labels: {\"reason\":\"%s\"}\n", group->reason);
    buffer_text(text, stack == NULL ? "#\t" NO_STACK "\n" : "");
    for (size_t i = 0; stack != NULL && i < stack->depth; i++) {
        probe_frame_comment(text, frames[i] + 1, frames[i]);
    }
    buffer_text(text, "\n");
}

int probe_lock_leak_text(const struct lock_view *view, struct buffer *ret_text)
{
    struct buffer groups = {0};
    size_t threads = groups_make(view, &groups);
    probe_symbols_load();
    buffer_printf(ret_text, TYPE " profile: total %zu\n", threads);
    for (size_t i = 0; i < group_count(&groups); i++) {
        group_write(&view->threads.stacks, &groups_of(&groups)[i], ret_text);
    }
    int error = groups.error;
    buffer_release(&groups);
    return error != 0 ? error : ret_text->error;
}
