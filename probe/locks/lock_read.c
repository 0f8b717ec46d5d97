#include "probe/locks/lock_read.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "probe/locks/lock_memory.h"
#include "probe/resources/thread_numbers.h"
#include "probe/threads/thread_details.h"

static bool waits_for_rwlock(const struct lock_waiter *waiter)
{
    return waiter->note.call == LOCK_CALL_READ || waiter->note.call == LOCK_CALL_WRITE;
}

static int by_address(const void *one, const void *other)
{
    const struct lock_held *first = one;
    const struct lock_held *second = other;
    if (first->address != second->address) {
        return first->address < second->address ? -1 : 1;
    }
    return first->is_rwlock - second->is_rwlock;
}

int probe_lock_waiter_order(const void *one, const void *other)
{
    const struct lock_waiter *first = one;
    const struct lock_waiter *second = other;
    return first->note.tid < second->note.tid ? -1 : first->note.tid > second->note.tid;
}

/* Reads the notes: one waiter for each. */
static int waiters_read(struct lock_view *view)
{
    struct buffer notes = {0};
    int error = probe_lock_notes_read(&notes);
    const struct lock_note *note = (const void *)notes.data;
    size_t count = error != 0 ? 0 : notes.length / sizeof(*note);
    for (size_t i = 0; i < count; i++) {
        const struct lock_waiter waiter = {.note = note[i], .next = LOCK_NO_NEXT};
        buffer_append(&view->waiters, &waiter, sizeof(waiter));
    }
    buffer_release(&notes);
    error = error != 0 ? error : view->waiters.error;
    view->waiter_count = error != 0 ? 0 : count;
    if (view->waiter_count > 0) {
        qsort(view->waiters.data, count, sizeof(struct lock_waiter),
              probe_lock_waiter_order);
    }
    return error;
}

/* Lists the locks that are waited for, each once. */
static int locks_list(struct lock_view *view)
{
    for (size_t i = 0; i < view->waiter_count; i++) {
        const struct lock_waiter *waiter = probe_lock_waiter_at(view, i);
        const struct lock_held lock = {.address = waiter->note.lock,
                                       .is_rwlock = waits_for_rwlock(waiter)};
        buffer_append(&view->locks, &lock, sizeof(lock));
    }
    if (view->locks.error != 0 || view->waiter_count == 0) {
        return view->locks.error;
    }
    qsort(view->locks.data, view->waiter_count, sizeof(struct lock_held), by_address);
    for (size_t i = 0; i < view->waiter_count; i++) {
        const struct lock_held lock = *probe_lock_at(view, i);
        if (view->lock_count == 0 ||
            by_address(probe_lock_at(view, view->lock_count - 1), &lock) != 0) {
            *probe_lock_at(view, view->lock_count++) = lock;
        }
    }
    for (size_t i = 0; i < view->waiter_count; i++) {
        struct lock_waiter *waiter = probe_lock_waiter_at(view, i);
        const struct lock_held lock = {.address = waiter->note.lock,
                                       .is_rwlock = waits_for_rwlock(waiter)};
        const struct lock_held *found = bsearch(
            &lock, view->locks.data, view->lock_count, sizeof(lock), by_address);
        waiter->lock = (size_t)(found - probe_lock_at(view, 0));
    }
    return 0;
}

/* Asks the kernel where the waiting threads are; also whether it answers at all. */
static void kernel_ask(struct lock_view *view, int task_fd)
{
    const struct range nothing = {0, 0};
    view->kernel_asked =
        probe_lock_seen(task_fd, gettid(), nothing) != LOCK_SEEN_UNKNOWN;
    for (size_t i = 0; i < view->waiter_count; i++) {
        struct lock_waiter *waiter = probe_lock_waiter_at(view, i);
        uintptr_t start = waiter->note.lock;
        const struct range lock = {start,
                                   start + probe_lock_bytes(waits_for_rwlock(waiter))};
        const struct range condition = {
            waiter->note.condition, waiter->note.condition + sizeof(pthread_cond_t)};
        waiter->seen = probe_lock_seen(task_fd, waiter->note.tid, lock);
        if (waiter->seen == LOCK_SEEN_ELSE && condition.start != 0 &&
            probe_lock_seen(task_fd, waiter->note.tid, condition) == LOCK_SEEN_THERE) {
            waiter->seen = LOCK_SEEN_CONDITION;
        }
        view->kernel_asked &= waiter->seen != LOCK_SEEN_UNKNOWN;
    }
}

/* Who has a lock that other processes may have too, as far as its owner's number tells.
 */
static enum lock_holder holder_anywhere(pid_t owner, int task_fd)
{
    if (!probe_thread_ended(task_fd, owner)) {
        return LOCK_HELD_BY_ANY_PROCESS;
    }
    bool elsewhere = owner != getpid() /* our main thread, a zombie */ &&
                     (kill(owner, 0) == 0 || errno == EPERM);
    return elsewhere ? LOCK_HELD_BY_OTHER_PROCESS : LOCK_HELD_BY_UNKNOWN;
}

/* Who has the lock. */
static void holder_find(struct lock_held *lock, int task_fd)
{
    pid_t owner = lock->state.owner;
    if (owner == 0) {
        bool read = lock->state.readers > 0 && !lock->state.writing;
        lock->holder = read ? LOCK_HELD_BY_READERS : LOCK_HELD_BY_NOBODY;
        return;
    }
    lock->holder = LOCK_HELD_BY_UNKNOWN;
    if (!lock->state.readable || owner == LOCK_OWNER_UNKNOWN) {
        return;
    }
    if (lock->shared) {
        lock->tid = owner;
        lock->holder = holder_anywhere(owner, task_fd);
        return;
    }
    lock->tid = probe_lock_owner_now(owner);
    if (!probe_thread_number_reused(owner)) {
        lock->holder = probe_thread_ended(task_fd, lock->tid) ? LOCK_HELD_BY_ENDED
                                                              : LOCK_HELD_BY_THREAD;
    }
}

/* Which of the locks are in memory that other processes may have too. */
static int locks_place(struct lock_view *view)
{
    struct lock_memory memory = {0};
    int error = view->lock_count == 0 ? 0 : probe_lock_memory_read(&memory);
    for (size_t i = 0; i < view->lock_count; i++) {
        struct lock_held *lock = probe_lock_at(view, i);
        lock->shared = probe_lock_memory_is_shared(&memory, lock->address);
    }
    probe_lock_memory_release(&memory);
    return error;
}

/* Reads the locks, then who of their owners has ended, then the locks again: one that
 * still names its owner then was not released before the owner's end. */
static int locks_read(struct lock_view *view, int task_fd)
{
    int error = locks_place(view);
    for (size_t i = 0; i < view->lock_count && error == 0; i++) {
        struct lock_held *lock = probe_lock_at(view, i);
        error = probe_lock_state_read(lock->address, lock->is_rwlock, &lock->state);
    }
    for (size_t i = 0; i < view->lock_count && error == 0; i++) {
        holder_find(probe_lock_at(view, i), task_fd);
    }
    for (size_t i = 0; i < view->lock_count && error == 0; i++) {
        struct lock_held *lock = probe_lock_at(view, i);
        struct lock_state state;
        error = probe_lock_state_read(lock->address, lock->is_rwlock, &state);
        if (state.owner != lock->state.owner ||
            (lock->tid != 0 && !lock->shared &&
             probe_thread_number_reused(state.owner))) {
            lock->holder = LOCK_HELD_BY_UNKNOWN;
            lock->tid = 0;
        }
    }
    return error;
}

int probe_lock_view_read(struct lock_view *view, int task_fd)
{
    int error = waiters_read(view);
    if (error == 0) {
        kernel_ask(view, task_fd);
        error = locks_list(view);
    }
    return error == 0 ? locks_read(view, task_fd) : error;
}
