#include "probe/locks/lock_text.h"

#include "base/clock.h"
#include "probe/locks/lock_words.h"
#include "probe/symbols/frame_text.h"
#include "probe/symbols/symbols.h"

static size_t verdicts_count(const struct lock_view *view, enum lock_verdict verdict)
{
    size_t count = 0;
    for (size_t i = 0; i < view->waiter_count; i++) {
        count += probe_lock_waiter_at(view, i)->verdict == verdict;
    }
    return count;
}

static size_t cycle_length(const struct lock_view *view, size_t start)
{
    size_t length = 0;
    size_t at = start;
    do {
        at = probe_lock_waiter_at(view, at)->next;
        length++;
    } while (at != start);
    return length;
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

/* Appends "; DEADLOCK of 2 threads", or "; 3 DEADLOCKS, of 7 threads". */
static void cycles_append(const struct lock_view *view, struct buffer *text)
{
    size_t cycles = 0;
    size_t threads = verdicts_count(view, LOCK_DEADLOCK);
    for (size_t i = 0; i < view->waiter_count; i++) {
        cycles += probe_lock_cycle_begins(view, i);
    }
    if (cycles == 1) {
        buffer_printf(text, "; DEADLOCK of %zu thread%s", threads, plural(threads));
    } else if (cycles > 1) {
        buffer_printf(text, "; %zu DEADLOCKS, of %zu threads", cycles, threads);
    }
}

/* "12 threads wait for a lock; DEADLOCK of 2 threads; 9 wait for a lock that is NEVER
 * RELEASED; 1 is stuck behind them". */
static void summary_append(const struct lock_view *view, struct buffer *text)
{
    if (view->waiter_count == 0) {
        buffer_text(text, "no thread waits for a mutex or rwlock");
    } else {
        buffer_printf(text, "%zu thread%s for a lock", view->waiter_count,
                      view->waiter_count == 1 ? " waits" : "s wait");
    }
    cycles_append(view, text);
    size_t never = verdicts_count(view, LOCK_NEVER_RELEASED);
    if (never > 0) {
        buffer_printf(text, "; %zu wait%s for a lock that is NEVER RELEASED", never,
                      never == 1 ? "s" : "");
    }
    size_t stuck = verdicts_count(view, LOCK_STUCK);
    if (stuck > 0) {
        buffer_printf(text, "; %zu %s stuck behind them", stuck,
                      stuck == 1 ? "is" : "are");
    }
    buffer_text(text, "\n");
    if (!view->kernel_asked) {
        buffer_text(text, "# the kernel does not say where the threads are: those in a "
                          "condition variable are not judged\n");
    }
}

static void stack_append(const struct lock_view *view, pid_t tid, struct buffer *text)
{
    const struct thread_entry *entry = probe_lock_thread_of(view, tid);
    if (entry == NULL || entry->stack == THREADS_NO_STACK) {
        buffer_text(text, entry == NULL ? "it has ended by now\n" : "no stack\n");
        return;
    }
    const struct stacks *stacks = &view->threads.stacks;
    const struct stack *stack = probe_stacks_at(stacks, entry->stack);
    const uintptr_t *frames = probe_stacks_frames(stacks, stack);
    for (size_t i = 0; i < stack->depth; i++) {
        probe_frame_block(text, frames[i]);
    }
}

static void thread_append(const struct lock_view *view, pid_t tid, struct buffer *text)
{
    const struct thread_entry *entry = probe_lock_thread_of(view, tid);
    buffer_printf(text, "thread %d \"%s\"", (int)tid, entry == NULL ? "" : entry->name);
}

static void heading_append(const struct lock_view *view,
                           const struct lock_waiter *waiter, struct buffer *text)
{
    int64_t tenths = waiter->waited_ns / (CLOCK_NS_PER_SECOND / 10);
    thread_append(view, waiter->note.tid, text);
    buffer_printf(text, " has waited %lld.%lld s for ", (long long)(tenths / 10),
                  (long long)(tenths % 10));
    probe_lock_sentence(view, waiter, text);
    buffer_text(text, probe_lock_waiter_is_timed(waiter) ? ", with a time limit" : "");
    buffer_text(text, waiter->over ? "; it waits no more\n" : ":\n");
}

/* The stack of a wait, as a number; THREADS_NO_STACK. */
static size_t stack_of(const struct lock_view *view, const struct lock_waiter *waiter)
{
    const struct thread_entry *entry = probe_lock_thread_of(view, waiter->note.tid);
    return waiter->over || entry == NULL ? THREADS_NO_STACK : entry->stack;
}

/* Appends the heading of a wait. The stack follows after the last of those that have
 * the same one: `before` is the wait before it, NULL: there is none; likewise `waiter`
 * at the end. */
static void wait_append(const struct lock_view *view, const struct lock_waiter *before,
                        const struct lock_waiter *waiter, struct buffer *text)
{
    bool same = before != NULL && waiter != NULL &&
                stack_of(view, before) == stack_of(view, waiter);
    if (before != NULL && !same) {
        if (!before->over) {
            stack_append(view, before->note.tid, text);
        }
        buffer_text(text, "\n");
    }
    if (waiter != NULL) {
        heading_append(view, waiter, text);
    }
}

static void cycle_append(const struct lock_view *view, size_t start,
                         struct buffer *text)
{
    size_t length = cycle_length(view, start);
    size_t at = start;
    buffer_printf(text, "DEADLOCK: %s\n",
                  length == 1 ? "a thread waits for itself"
                              : "each of these threads waits for the next one, and the "
                                "last one for the first");
    const struct lock_waiter *before = NULL;
    do {
        const struct lock_waiter *waiter = probe_lock_waiter_at(view, at);
        wait_append(view, before, waiter, text);
        before = waiter;
        at = waiter->next;
    } while (at != start);
    wait_append(view, before, NULL, text);
}

static void never_released_append(const struct lock_view *view, size_t lock,
                                  struct buffer *text)
{
    const struct lock_held *held = probe_lock_at(view, lock);
    buffer_printf(text, "NEVER RELEASED: %s 0x%llx: thread %d had it when it ended%s\n",
                  probe_lock_kind_name(held), (unsigned long long)held->address,
                  (int)held->tid,
                  probe_lock_waits_forked() ? ", or when this process was forked" : "");
    const struct lock_waiter *before = NULL;
    for (size_t i = 0; i < view->waiter_count; i++) {
        const struct lock_waiter *waiter = probe_lock_waiter_at(view, i);
        if (waiter->lock == lock && waiter->verdict == LOCK_NEVER_RELEASED) {
            wait_append(view, before, waiter, text);
            before = waiter;
        }
    }
    wait_append(view, before, NULL, text);
}

static void waits_append(const struct lock_view *view, enum lock_verdict verdict,
                         const char *heading, struct buffer *text)
{
    if (verdicts_count(view, verdict) == 0) {
        return;
    }
    const struct lock_waiter *before = NULL;
    buffer_text(text, heading);
    for (size_t i = 0; i < view->waiter_count; i++) {
        const struct lock_waiter *waiter = probe_lock_waiter_at(view, i);
        if (waiter->verdict == verdict) {
            wait_append(view, before, waiter, text);
            before = waiter;
        }
    }
    wait_append(view, before, NULL, text);
}

static void holders_append(const struct lock_view *view, struct buffer *text)
{
    bool is_first = true;
    for (size_t i = 0; i < view->lock_count; i++) {
        const struct lock_held *lock = probe_lock_at(view, i);
        if (!lock->holder_shown) {
            continue;
        }
        buffer_text(text,
                    is_first ? "HOLDERS, who wait for no lock themselves:\n" : "");
        is_first = false;
        thread_append(view, lock->tid, text);
        buffer_text(text, ":\n");
        stack_append(view, lock->tid, text);
        buffer_text(text, "\n");
    }
}

void probe_lock_text_write(const struct lock_view *view, struct buffer *ret_text)
{
    probe_symbols_load();
    summary_append(view, ret_text);
    buffer_text(ret_text, "\n");
    for (size_t i = 0; i < view->waiter_count; i++) {
        if (probe_lock_cycle_begins(view, i)) {
            cycle_append(view, i, ret_text);
        }
    }
    for (size_t i = 0; i < view->lock_count; i++) {
        if (probe_lock_at(view, i)->never_released) {
            never_released_append(view, i, ret_text);
        }
    }
    waits_append(view, LOCK_STUCK, "STUCK: they wait for one of the threads above\n",
                 ret_text);
    waits_append(view, LOCK_WAITS, "WAITS:\n", ret_text);
    holders_append(view, ret_text);
}

void probe_lock_text_remark(const void *view, pid_t tid, struct buffer *text)
{
    const struct lock_waiter *waiter = probe_lock_waiter_of(view, tid);
    if (waiter == NULL || waiter->over) {
        return;
    }
    buffer_text(text, ", waits for ");
    probe_lock_sentence(view, waiter, text);
    const char *verdict = probe_lock_verdict_shown(waiter->verdict);
    if (verdict != NULL) {
        buffer_printf(text, " (%s)", verdict);
    }
}
