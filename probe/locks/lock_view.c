#include "probe/locks/lock_view.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/resources/thread_numbers.h"

/* A thread that waits was maybe just woken by a signal. Then the kernel is asked again,
 * so often, after so long. */
#define LOOKS 10
#define LOOK_PAUSE_MS 2

struct lock_held *probe_lock_at(const struct lock_view *view, size_t number)
{
    return (struct lock_held *)(void *)view->locks.data + number;
}

struct lock_waiter *probe_lock_waiter_at(const struct lock_view *view, size_t number)
{
    return (struct lock_waiter *)(void *)view->waiters.data + number;
}

static const struct lock_held *lock_of(const struct lock_view *view,
                                       const struct lock_waiter *waiter)
{
    return probe_lock_at(view, waiter->lock);
}

static bool waits_for_rwlock(const struct lock_waiter *waiter)
{
    return waiter->note.call == LOCK_CALL_READ || waiter->note.call == LOCK_CALL_WRITE;
}

/* The time limit of a condition variable does not hold for its mutex. */
bool probe_lock_waiter_is_timed(const struct lock_waiter *waiter)
{
    return waiter->note.timed && waiter->note.call != LOCK_CALL_CONDITION;
}

/* ---- What is read ---- */

static int by_address(const void *one, const void *other)
{
    const struct lock_held *first = one;
    const struct lock_held *second = other;
    if (first->address != second->address) {
        return first->address < second->address ? -1 : 1;
    }
    return first->is_rwlock - second->is_rwlock;
}

static int by_thread(const void *one, const void *other)
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
        qsort(view->waiters.data, count, sizeof(struct lock_waiter), by_thread);
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
        waiter->seen = probe_lock_seen(task_fd, waiter->note.tid, lock);
        view->kernel_asked &= waiter->seen != LOCK_SEEN_UNKNOWN;
    }
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
    lock->tid = probe_lock_owner_now(owner);
    bool ended = probe_lock_thread_ended(task_fd, lock->tid);
    if (ended && lock->state.shared) {
        lock->holder = LOCK_HELD_BY_OTHER_PROCESS;
    } else if (!probe_thread_number_reused(owner)) {
        lock->holder = ended ? LOCK_HELD_BY_ENDED : LOCK_HELD_BY_THREAD;
    }
}

/* Reads the locks, then who of their owners has ended, then the locks again: one that
 * still names its owner then was not released before the owner's end. */
static void locks_read(struct lock_view *view, int task_fd)
{
    for (size_t i = 0; i < view->lock_count; i++) {
        struct lock_held *lock = probe_lock_at(view, i);
        probe_lock_state_read(lock->address, lock->is_rwlock, &lock->state);
    }
    for (size_t i = 0; i < view->lock_count; i++) {
        holder_find(probe_lock_at(view, i), task_fd);
    }
    for (size_t i = 0; i < view->lock_count; i++) {
        struct lock_held *lock = probe_lock_at(view, i);
        struct lock_state state;
        probe_lock_state_read(lock->address, lock->is_rwlock, &state);
        if (state.owner != lock->state.owner ||
            (lock->tid != 0 && lock->holder != LOCK_HELD_BY_OTHER_PROCESS &&
             probe_thread_number_reused(state.owner))) {
            lock->holder = LOCK_HELD_BY_UNKNOWN;
            lock->tid = 0;
        }
    }
}

/* Whether the wait is one, as far as is known. */
static bool waiter_counts(const struct lock_view *view,
                          const struct lock_waiter *waiter)
{
    switch (waiter->seen) {
    case LOCK_SEEN_THERE:
        return true;
    case LOCK_SEEN_ELSE: /* a thread that can never inherit waits elsewhere */
        return lock_of(view, waiter)->state.pi &&
               waiter->note.call != LOCK_CALL_CONDITION;
    case LOCK_SEEN_GONE:
        return false;
    default:
        return waiter->note.call != LOCK_CALL_CONDITION;
    }
}

/* Leaves out the waits that have ended meanwhile, and those that are none. */
static void waiters_sift(struct lock_view *view)
{
    size_t kept = 0;
    for (size_t i = 0; i < view->waiter_count; i++) {
        const struct lock_waiter waiter = *probe_lock_waiter_at(view, i);
        if (probe_lock_note_stands(&waiter.note) && waiter_counts(view, &waiter)) {
            *probe_lock_waiter_at(view, kept++) = waiter;
        }
    }
    view->waiter_count = kept;
}

/* ---- What follows from it ---- */

const struct lock_waiter *probe_lock_waiter_of(const struct lock_view *view, pid_t tid)
{
    const struct lock_waiter key = {.note = {.tid = tid}};
    return view->waiter_count == 0
               ? NULL
               : bsearch(&key, view->waiters.data, view->waiter_count, sizeof(key),
                         by_thread);
}

/* Whether the thread waits for ever for a mutex that it has itself. Only a note made
 * before the wait tells that from a mutex that it has just got. */
static bool waits_for_itself(const struct lock_view *view,
                             const struct lock_waiter *waiter)
{
    enum lock_type type = lock_of(view, waiter)->state.type;
    return waiter->note.own && (type == LOCK_NORMAL || type == LOCK_ADAPTIVE);
}

static struct lock_link link_of(struct lock_view *view, struct lock_waiter *waiter)
{
    const struct lock_held *lock = lock_of(view, waiter);
    struct lock_link link = {
        .certain = !probe_lock_waiter_is_timed(waiter) && lock->state.readable,
        .ended = lock->holder == LOCK_HELD_BY_ENDED,
        .next = LOCK_NO_NEXT,
    };
    if (lock->holder == LOCK_HELD_BY_THREAD) {
        const struct lock_waiter *next = probe_lock_waiter_of(view, lock->tid);
        link.next = next == NULL ? LOCK_NO_NEXT
                                 : (size_t)(next - probe_lock_waiter_at(view, 0));
        link.certain &= next != waiter || waits_for_itself(view, waiter);
    }
    waiter->next = link.next;
    return link;
}

/* Judges all waits. Returns whether a thread that does not seem to wait now would have
 * a verdict if it did. */
static bool judge(struct lock_view *view, int *ret_error)
{
    size_t count = view->waiter_count;
    struct buffer memory = {0};
    struct lock_link *links = (void *)buffer_reserve(
        &memory, count * (sizeof(*links) + sizeof(enum lock_verdict)));
    *ret_error = links == NULL ? -ENOMEM : 0;
    if (links == NULL) {
        return false;
    }
    enum lock_verdict *verdicts = (void *)(links + count);
    for (size_t i = 0; i < count; i++) {
        links[i] = link_of(view, probe_lock_waiter_at(view, i));
    }
    probe_lock_judge(links, count, verdicts);
    bool unsure = false;
    for (size_t i = 0; i < count; i++) {
        bool running = probe_lock_waiter_at(view, i)->seen == LOCK_SEEN_RUNNING;
        unsure |= running && verdicts[i] != LOCK_WAITS;
        links[i].certain &= !running;
    }
    probe_lock_judge(links, count, verdicts);
    for (size_t i = 0; i < count; i++) {
        probe_lock_waiter_at(view, i)->verdict = verdicts[i];
    }
    buffer_release(&memory);
    return unsure;
}

/* ---- The whole ---- */

static int look(struct lock_view *view, bool *ret_again)
{
    const struct thread_source *source;
    int task_fd = probe_threads_round_begin(&source); /* now no round wakes them */
    int error = waiters_read(view);
    if (error == 0) {
        kernel_ask(view, task_fd);
        error = locks_list(view);
    }
    if (error == 0) {
        locks_read(view, task_fd);
        waiters_sift(view);
    }
    if (task_fd >= 0) {
        probe_threads_round_end();
    }
    *ret_again = error == 0 && judge(view, &error);
    int64_t now = probe_lock_now_ns();
    for (size_t i = 0; i < view->waiter_count && error == 0; i++) {
        struct lock_waiter *waiter = probe_lock_waiter_at(view, i);
        waiter->waited_ns = now - waiter->note.since_ns;
    }
    return error;
}

int probe_lock_view_take(struct lock_view *ret_view)
{
    bool again = true;
    int error = 0;
    for (int i = 0; i < LOOKS && again && error == 0; i++) {
        if (i > 0) {
            clock_sleep_ms(LOOK_PAUSE_MS);
        }
        *ret_view = (struct lock_view){0};
        error = look(ret_view, &again);
        if (error != 0 || (again && i + 1 < LOOKS)) {
            probe_lock_view_release(ret_view);
        }
    }
    return error;
}

void probe_lock_view_again(struct lock_view *view)
{
    for (size_t i = 0; i < view->lock_count; i++) {
        struct lock_held *lock = probe_lock_at(view, i);
        struct lock_state state;
        probe_lock_state_read(lock->address, lock->is_rwlock, &state);
        lock->changed = state.owner != lock->state.owner;
    }
    for (size_t i = 0; i < view->waiter_count; i++) {
        struct lock_waiter *waiter = probe_lock_waiter_at(view, i);
        waiter->over = !probe_lock_note_stands(&waiter->note);
    }
}

int probe_lock_view_stacks(struct lock_view *view)
{
    if (view->waiter_count == 0) {
        return 0;
    }
    int error = probe_threads_read(true, &view->threads);
    probe_lock_view_again(view);
    return error;
}

const struct thread_entry *probe_lock_thread_of(const struct lock_view *view, pid_t tid)
{
    for (size_t i = 0; i < view->threads.count; i++) {
        const struct thread_entry *entry = probe_threads_at(&view->threads, i);
        if (entry->tid == tid) {
            return entry;
        }
    }
    return NULL;
}

void probe_lock_view_release(struct lock_view *view)
{
    buffer_release(&view->locks);
    buffer_release(&view->waiters);
    probe_threads_release(&view->threads);
    *view = (struct lock_view){0};
}
