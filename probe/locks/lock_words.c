#include "probe/locks/lock_words.h"

const char *probe_lock_holder_name(enum lock_holder holder)
{
    static const char *const names[] = {
        [LOCK_HELD_BY_THREAD] = "thread",
        [LOCK_HELD_BY_ENDED] = "ended",
        [LOCK_HELD_BY_READERS] = "readers",
        [LOCK_HELD_BY_OTHER_PROCESS] = "other_process",
        [LOCK_HELD_BY_ANY_PROCESS] = "this_or_other_process",
        [LOCK_HELD_BY_NOBODY] = "nobody",
        [LOCK_HELD_BY_UNKNOWN] = "unknown",
    };
    return names[holder];
}

const char *probe_lock_kind_name(const struct lock_held *lock)
{
    return lock->is_rwlock ? "rwlock" : "mutex";
}

const char *probe_lock_wants_name(const struct lock_waiter *waiter)
{
    static const char *const names[] = {
        [LOCK_CALL_MUTEX] = "mutex",
        [LOCK_CALL_READ] = "read",
        [LOCK_CALL_WRITE] = "write",
        [LOCK_CALL_CONDITION] = "mutex after condition",
    };
    return names[waiter->note.call];
}

const char *probe_lock_verdict_name(enum lock_verdict verdict)
{
    static const char *const names[] = {
        [LOCK_WAITS] = "waits",
        [LOCK_DEADLOCK] = "deadlock",
        [LOCK_NEVER_RELEASED] = "never_released",
        [LOCK_STUCK] = "stuck",
    };
    return names[verdict];
}

const char *probe_lock_verdict_shown(enum lock_verdict verdict)
{
    static const char *const names[] = {
        [LOCK_WAITS] = NULL,
        [LOCK_DEADLOCK] = "DEADLOCK",
        [LOCK_NEVER_RELEASED] = "NEVER RELEASED",
        [LOCK_STUCK] = "STUCK",
    };
    return names[verdict];
}

static void holder_append(const struct lock_view *view, const struct lock_held *lock,
                          struct buffer *text)
{
    const struct thread_entry *entry = probe_lock_thread_of(view, lock->tid);
    switch (lock->holder) {
    case LOCK_HELD_BY_THREAD:
        buffer_printf(text, "held by thread %d", (int)lock->tid);
        if (entry != NULL) {
            buffer_printf(text, " \"%s\"", entry->name);
        }
        break;
    case LOCK_HELD_BY_ENDED:
        buffer_printf(text, "held by thread %d, which has ended%s", (int)lock->tid,
                      probe_lock_waits_forked() ? " or stayed in the parent" : "");
        break;
    case LOCK_HELD_BY_OTHER_PROCESS:
        buffer_printf(text, "held by thread %d, which is none of this process",
                      (int)lock->tid);
        break;
    case LOCK_HELD_BY_ANY_PROCESS:
        buffer_printf(text, "held by thread %d, of this process or another one",
                      (int)lock->tid);
        break;
    case LOCK_HELD_BY_READERS:
        buffer_printf(text, "held by %u reader%s", lock->state.readers,
                      lock->state.readers == 1 ? "" : "s");
        break;
    case LOCK_HELD_BY_NOBODY:
        buffer_text(text, "held by nobody at that moment");
        break;
    case LOCK_HELD_BY_UNKNOWN:
        buffer_text(text, lock->state.readable
                              ? "held by a thread that is not known"
                              : "whose memory is gone or in other use");
        break;
    }
}

void probe_lock_sentence(const struct lock_view *view, const struct lock_waiter *waiter,
                         struct buffer *text)
{
    static const char *const wanted[] = {
        [LOCK_CALL_MUTEX] = "mutex",
        [LOCK_CALL_READ] = "rwlock (to read)",
        [LOCK_CALL_WRITE] = "rwlock (to write)",
        [LOCK_CALL_CONDITION] = "the mutex of a condition variable",
    };
    const struct lock_held *lock = probe_lock_at(view, waiter->lock);
    buffer_printf(text, "%s 0x%llx ", wanted[waiter->note.call],
                  (unsigned long long)lock->address);
    holder_append(view, lock, text);
}

bool probe_lock_cycle_begins(const struct lock_view *view, size_t waiter)
{
    if (probe_lock_waiter_at(view, waiter)->verdict != LOCK_DEADLOCK) {
        return false;
    }
    size_t at = probe_lock_waiter_at(view, waiter)->next;
    while (at > waiter) {
        at = probe_lock_waiter_at(view, at)->next;
    }
    return at == waiter;
}
