#include "probe/pages/lock_json.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/http/json_writer.h"
#include "probe/locks/lock_words.h"
#include "probe/process/descriptors.h"
#include "probe/symbols/symbols.h"
#include "probe/threads/task_directory.h"

static void address_write(struct json_writer *json, const char *name, uintptr_t address)
{
    char text[32];
    snprintf(text, sizeof(text), "0x%llx", (unsigned long long)address);
    probe_json_text(json, name, text);
}

/* `entry` is NULL if nothing else is known of it. */
static void number_and_name_write(struct json_writer *json, pid_t tid,
                                  const struct thread_entry *entry)
{
    if (tid == 0) {
        probe_json_null(json, "tid");
    } else {
        probe_json_number(json, "tid", (uint64_t)tid);
    }
    if (entry == NULL) {
        probe_json_null(json, "name");
    } else {
        probe_json_text(json, "name", entry->name);
    }
}

static void thread_write(struct json_writer *json, const struct lock_view *view,
                         pid_t tid)
{
    number_and_name_write(json, tid, probe_lock_thread_of(view, tid));
}

static void frame_write(struct json_writer *json, uintptr_t address)
{
    struct symbol symbol;
    probe_symbols_find(address, &symbol);
    probe_json_item_open(json);
    probe_json_text(json, "function", symbol.function);
    if (symbol.file_in_tree == NULL) {
        probe_json_null(json, "file");
        probe_json_null(json, "line");
    } else {
        probe_json_text(json, "file", symbol.file_in_tree);
        probe_json_number(json, "line", symbol.line);
    }
    probe_json_close(json);
}

static void stack_write(struct json_writer *json, const struct lock_view *view,
                        pid_t tid, bool is_known)
{
    const struct thread_entry *entry = probe_lock_thread_of(view, tid);
    probe_json_open_array(json, "stack");
    if (is_known && entry != NULL && entry->stack != THREADS_NO_STACK) {
        const struct stacks *stacks = &view->threads.stacks;
        const struct stack *stack = probe_stacks_at(stacks, entry->stack);
        const uintptr_t *frames = probe_stacks_frames(stacks, stack);
        for (size_t i = 0; i < stack->depth; i++) {
            frame_write(json, frames[i]);
        }
    }
    probe_json_close_array(json);
}

static void holder_write(struct json_writer *json, const struct lock_view *view,
                         const struct lock_held *lock)
{
    probe_json_open(json, "holder");
    probe_json_text(json, "state", probe_lock_holder_name(lock->holder));
    bool is_ours = lock->tid != 0 && lock->holder != LOCK_HELD_BY_ANY_PROCESS;
    number_and_name_write(json, lock->tid,
                          is_ours ? probe_lock_thread_of(view, lock->tid) : NULL);
    probe_json_number(json, "readers",
                      lock->holder == LOCK_HELD_BY_READERS ? lock->state.readers : 0);
    probe_json_close(json);
}

static void wait_write(struct json_writer *json, const struct lock_view *view,
                       const struct lock_waiter *waiter)
{
    const struct lock_held *lock = probe_lock_at(view, waiter->lock);
    probe_json_item_open(json);
    thread_write(json, view, waiter->note.tid);
    probe_json_thousandths(json, "waited_seconds",
                           (uint64_t)(waiter->waited_ns / CLOCK_NS_PER_MS));
    address_write(json, "lock", lock->address);
    probe_json_text(json, "kind", probe_lock_kind_name(lock));
    if (!lock->is_rwlock && lock->state.readable) {
        probe_json_text(json, "type", probe_lock_type_name(lock->state.type));
        probe_json_bool(json, "robust", lock->state.robust);
        probe_json_bool(json, "shared", lock->shared);
        probe_json_bool(json, "pi", lock->state.pi);
    }
    probe_json_text(json, "wants", probe_lock_wants_name(waiter));
    probe_json_bool(json, "timed", probe_lock_waiter_is_timed(waiter));
    holder_write(json, view, lock);
    probe_json_text(json, "verdict", probe_lock_verdict_name(waiter->verdict));
    stack_write(json, view, waiter->note.tid, !waiter->over);
    probe_json_close(json);
}

static void waits_write(struct json_writer *json, const struct lock_view *view)
{
    probe_json_open_array(json, "waits");
    for (size_t i = 0; i < view->waiter_count; i++) {
        wait_write(json, view, probe_lock_waiter_at(view, i));
    }
    probe_json_close_array(json);
}

static void holders_write(struct json_writer *json, const struct lock_view *view)
{
    probe_json_open_array(json, "holders");
    for (size_t i = 0; i < view->lock_count; i++) {
        const struct lock_held *lock = probe_lock_at(view, i);
        if (lock->holder_shown) {
            probe_json_item_open(json);
            thread_write(json, view, lock->tid);
            stack_write(json, view, lock->tid, true);
            probe_json_close(json);
        }
    }
    probe_json_close_array(json);
}

static void deadlocks_write(struct json_writer *json, const struct lock_view *view)
{
    probe_json_open_array(json, "deadlocks");
    for (size_t i = 0; i < view->waiter_count; i++) {
        if (!probe_lock_cycle_begins(view, i)) {
            continue;
        }
        probe_json_item_open(json);
        probe_json_open_array(json, "threads");
        size_t at = i;
        do {
            const struct lock_waiter *waiter = probe_lock_waiter_at(view, at);
            probe_json_item_number(json, (uint64_t)waiter->note.tid);
            at = waiter->next;
        } while (at != i);
        probe_json_close_array(json);
        probe_json_close(json);
    }
    probe_json_close_array(json);
}

static void never_released_write(struct json_writer *json, const struct lock_view *view)
{
    probe_json_open_array(json, "never_released");
    for (size_t i = 0; i < view->lock_count; i++) {
        const struct lock_held *lock = probe_lock_at(view, i);
        if (!lock->never_released) {
            continue;
        }
        probe_json_item_open(json);
        address_write(json, "lock", lock->address);
        probe_json_number(json, "owner", (uint64_t)lock->tid);
        probe_json_open_array(json, "threads");
        for (size_t j = 0; j < view->waiter_count; j++) {
            const struct lock_waiter *waiter = probe_lock_waiter_at(view, j);
            if (waiter->lock == i && waiter->verdict == LOCK_NEVER_RELEASED) {
                probe_json_item_number(json, (uint64_t)waiter->note.tid);
            }
        }
        probe_json_close_array(json);
        probe_json_close(json);
    }
    probe_json_close_array(json);
}

static void thread_keep(pid_t tid, void *threads)
{
    buffer_append(threads, &tid, sizeof(tid));
}

/* All threads, so that a reader of two replies can tell which came between them. None
 * is better than a part. */
static void threads_write(struct json_writer *json)
{
    struct buffer threads = {0};
    int fd = probe_proc_open("self/task", O_RDONLY | O_DIRECTORY);
    if (fd >= 0 && probe_task_each(fd, thread_keep, &threads) == 0 &&
        threads.error == 0) {
        const pid_t *tids = (const void *)threads.data;
        probe_json_open_array(json, "threads");
        for (size_t i = 0; i < threads.length / sizeof(*tids); i++) {
            probe_json_item_number(json, (uint64_t)tids[i]);
        }
        probe_json_close_array(json);
    }
    if (fd >= 0) {
        close(fd);
    }
    buffer_release(&threads);
}

void probe_lock_json_write(const struct lock_view *view, const char *missing,
                           struct buffer *ret_text)
{
    struct json_writer json;
    probe_symbols_load();
    probe_json_begin(&json, ret_text);
    probe_json_bool(&json, "measured", missing == NULL);
    if (missing != NULL) {
        probe_json_text(&json, "reason", missing);
    }
    probe_json_bool(&json, "kernel_asked", view->kernel_asked);
    waits_write(&json, view);
    holders_write(&json, view);
    deadlocks_write(&json, view);
    never_released_write(&json, view);
    threads_write(&json);
    probe_json_end(&json);
}
