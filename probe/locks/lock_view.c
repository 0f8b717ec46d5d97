#include "probe/locks/lock_view.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>

#include "base/clock.h"
#include "probe/locks/lock_read.h"
#include "probe/process/memory_read.h"

/* A thread that waits was maybe just woken by a signal. Then the kernel is asked again,
 * so often, after so long. */
#define LOOKS 10
#define LOOK_PAUSE_MS 2

static const struct lock_held *lock_of(const struct lock_view *view,
                                       const struct lock_waiter *waiter)
{
    return probe_lock_at(view, waiter->lock);
}

/* The time limit of a condition variable does not hold for its mutex. */
bool probe_lock_waiter_is_timed(const struct lock_waiter *waiter)
{
    return waiter->note.timed && waiter->note.call != LOCK_CALL_CONDITION;
}

/* ---- What counts ---- */

/* How sure it is that the thread waits for the lock. */
enum certainty { NO_WAIT, MAYBE_WAITS, WAITS };

static enum certainty certainty_of(const struct lock_view *view,
                                   const struct lock_waiter *waiter)
{
    bool condition = waiter->note.call == LOCK_CALL_CONDITION;
    switch (waiter->seen) {
    case LOCK_SEEN_THERE:
    case LOCK_SEEN_CONDITION:
        return WAITS;
    case LOCK_SEEN_RUNNING:
        return MAYBE_WAITS;
    case LOCK_SEEN_ELSE:
        /* A thread that can never inherit its priority waits elsewhere; others are in a
         * signal handler, or have left the wait in a way that we did not see. */
        if (lock_of(view, waiter)->state.pi) {
            return WAITS;
        }
        return condition ? NO_WAIT : MAYBE_WAITS;
    case LOCK_SEEN_UNKNOWN:
        return condition ? NO_WAIT : WAITS;
    default:
        return NO_WAIT;
    }
}

/* A thread that waits for a condition is shown if it waits in vain, because it will
 * never get the mutex. Another thread may be on its way. */
static bool is_shown(const struct lock_view *view, const struct lock_waiter *waiter)
{
    if (waiter->note.call == LOCK_CALL_CONDITION) {
        return waiter->seen == LOCK_SEEN_THERE || waiter->verdict != LOCK_WAITS;
    }
    return certainty_of(view, waiter) == WAITS || waiter->seen == LOCK_SEEN_RUNNING;
}

/* Leaves out what is no wait, or has ended meanwhile; in the end also what may be
 * none. */
static void waiters_sift(struct lock_view *view, bool in_the_end)
{
    size_t kept = 0;
    for (size_t i = 0; i < view->waiter_count; i++) {
        const struct lock_waiter waiter = *probe_lock_waiter_at(view, i);
        bool keeps = in_the_end ? is_shown(view, &waiter)
                                : probe_lock_note_stands(&waiter.note) &&
                                      certainty_of(view, &waiter) != NO_WAIT;
        if (keeps) {
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
                         probe_lock_waiter_order);
}

/* Whether the thread waits for ever for a lock that it has itself. Only a note made
 * before the wait tells that from a lock that it has just got. Some locks refuse that;
 * but not in a forked child, where they name their owner by its old number. */
static bool waits_for_itself(const struct lock_view *view,
                             const struct lock_waiter *waiter)
{
    const struct lock_held *lock = lock_of(view, waiter);
    enum lock_type type = lock->state.type;
    bool refuses = lock->is_rwlock || (type != LOCK_NORMAL && type != LOCK_ADAPTIVE);
    return waiter->note.own && (!refuses || lock->state.owner != waiter->note.tid);
}

static struct lock_link link_of(struct lock_view *view, struct lock_waiter *waiter)
{
    const struct lock_held *lock = lock_of(view, waiter);
    struct lock_link link = {
        .certain = !probe_lock_waiter_is_timed(waiter) && lock->state.readable &&
                   !waiter->over,
        /* Who waits for a robust mutex is told that its owner has died. */
        .ended = lock->holder == LOCK_HELD_BY_ENDED && !lock->state.robust,
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

/* Judges all waits; with `maybe`, as if each that may be one were one. Returns how many
 * never end, or -ENOMEM. */
static ssize_t judge(struct lock_view *view, bool maybe)
{
    size_t count = view->waiter_count;
    struct buffer memory = {0};
    struct lock_link *links = (void *)buffer_reserve(
        &memory, count * (sizeof(*links) + sizeof(enum lock_verdict)));
    if (links == NULL) {
        return -ENOMEM;
    }
    enum lock_verdict *verdicts = (void *)(links + count);
    for (size_t i = 0; i < count; i++) {
        struct lock_waiter *waiter = probe_lock_waiter_at(view, i);
        links[i] = link_of(view, waiter);
        links[i].certain &= maybe || certainty_of(view, waiter) == WAITS;
    }
    probe_lock_judge(links, count, verdicts);
    ssize_t never = 0;
    for (size_t i = 0; i < count; i++) {
        probe_lock_waiter_at(view, i)->verdict = verdicts[i];
        never += verdicts[i] != LOCK_WAITS;
    }
    buffer_release(&memory);
    return never;
}

/* Judges what was read. Returns 1 if more threads would never go on if they waited that
 * may be waiting: then another look may tell. Or 0, or -ENOMEM. */
static int conclude(struct lock_view *view)
{
    ssize_t at_most = judge(view, true);
    ssize_t never = at_most < 0 ? at_most : judge(view, false);
    if (never < 0) {
        return (int)never;
    }
    waiters_sift(view, true);
    judge(view, false); /* they have other numbers now */
    return at_most > never;
}

/* ---- The whole ---- */

const char *probe_lock_view_missing(void)
{
    static const char readable;
    char copy;
    const char *missing = probe_lock_waits_missing();
    if (missing == NULL &&
        probe_memory_read((uintptr_t)&readable, &copy, sizeof(copy)) != 0) {
        missing = "locks cannot be read: this system refuses process_vm_readv(2) and "
                  "/proc/self/mem";
    }
    return missing;
}

/* Returns 1 if another look may tell more, 0, or -errno. */
static int look(struct lock_view *view)
{
    const struct thread_source *source;
    int task_fd = probe_threads_round_begin(&source); /* now no round wakes them */
    int error = probe_lock_view_read(view, task_fd);
    if (error == 0) {
        waiters_sift(view, false);
    }
    if (task_fd >= 0) {
        probe_threads_round_end();
    }
    int64_t now = probe_lock_now_ns();
    for (size_t i = 0; i < view->waiter_count; i++) {
        struct lock_waiter *waiter = probe_lock_waiter_at(view, i);
        waiter->waited_ns = now - waiter->note.since_ns;
    }
    return error == 0 ? conclude(view) : error;
}

int probe_lock_view_take(struct lock_view *ret_view)
{
    for (int looks = 1;; looks++) {
        *ret_view = (struct lock_view){0};
        int result = look(ret_view);
        if (result == 0 || (result == 1 && looks == LOOKS)) {
            return 0;
        }
        probe_lock_view_release(ret_view);
        if (result < 0) {
            return result;
        }
        clock_sleep_ms(LOOK_PAUSE_MS);
    }
}

static int by_tid(const void *one, const void *other, void *view)
{
    const struct threads *threads = &((struct lock_view *)view)->threads;
    pid_t first = probe_threads_at(threads, *(const uint32_t *)one)->tid;
    pid_t second = probe_threads_at(threads, *(const uint32_t *)other)->tid;
    return first < second ? -1 : first > second;
}

static int threads_sort(struct lock_view *view)
{
    for (uint32_t i = 0; i < view->threads.count; i++) {
        buffer_append(&view->by_tid, &i, sizeof(i));
    }
    if (view->by_tid.error == 0 && view->threads.count > 0) {
        qsort_r(view->by_tid.data, view->threads.count, sizeof(uint32_t), by_tid, view);
    }
    return view->by_tid.error;
}

/* Whether the lock is the first of those that this thread has. */
static bool is_first_of(const struct lock_view *view, size_t number)
{
    const struct lock_held *lock = probe_lock_at(view, number);
    for (size_t i = 0; i < number; i++) {
        const struct lock_held *other = probe_lock_at(view, i);
        if (other->tid == lock->tid && other->holder_shown) {
            return false;
        }
    }
    return true;
}

int probe_lock_view_again(struct lock_view *view)
{
    for (size_t i = 0; i < view->waiter_count; i++) {
        struct lock_waiter *waiter = probe_lock_waiter_at(view, i);
        waiter->over = !probe_lock_note_stands(&waiter->note);
    }
    /* A wait that has ended shows that somebody breaks the rules of locks: then nothing
     * follows from it, nor for those behind it. */
    ssize_t never = judge(view, false);
    if (never < 0) {
        return (int)never;
    }
    for (size_t i = 0; i < view->waiter_count; i++) {
        const struct lock_waiter *waiter = probe_lock_waiter_at(view, i);
        struct lock_held *lock = probe_lock_at(view, waiter->lock);
        lock->never_released |= waiter->verdict == LOCK_NEVER_RELEASED;
        lock->holder_shown = lock->holder == LOCK_HELD_BY_THREAD;
    }
    for (size_t i = 0; i < view->lock_count; i++) {
        struct lock_held *lock = probe_lock_at(view, i);
        if (lock->holder_shown) {
            struct lock_state state;
            int error = probe_lock_state_read(lock->address, lock->is_rwlock, &state);
            lock->holder_shown = error == 0 && state.owner == lock->state.owner &&
                                 probe_lock_waiter_of(view, lock->tid) == NULL &&
                                 is_first_of(view, i);
        }
    }
    return threads_sort(view);
}

int probe_lock_view_stacks(struct lock_view *view)
{
    if (view->waiter_count == 0) {
        return 0;
    }
    int error = probe_threads_read(true, &view->threads);
    return error != 0 ? error : probe_lock_view_again(view);
}

const struct thread_entry *probe_lock_thread_of(const struct lock_view *view, pid_t tid)
{
    const uint32_t *numbers = (const void *)view->by_tid.data;
    size_t low = 0;
    size_t high = view->by_tid.length / sizeof(*numbers);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct thread_entry *entry =
            probe_threads_at(&view->threads, numbers[middle]);
        if (entry->tid == tid) {
            return entry;
        }
        low = entry->tid < tid ? middle + 1 : low;
        high = entry->tid < tid ? high : middle;
    }
    return NULL;
}

void probe_lock_view_release(struct lock_view *view)
{
    buffer_release(&view->locks);
    buffer_release(&view->waiters);
    buffer_release(&view->by_tid);
    probe_threads_release(&view->threads);
    *view = (struct lock_view){0};
}
