/*
 * What the pages say of a view of locks in common: words, and what is shown of it.
 */
#ifndef PROBE_LOCKS_LOCK_WORDS_H
#define PROBE_LOCKS_LOCK_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "probe/locks/lock_view.h"

/* Words of the JSON form. */
const char *probe_lock_holder_name(enum lock_holder holder);
const char *probe_lock_kind_name(const struct lock_held *lock);
const char *probe_lock_wants_name(const struct lock_waiter *waiter);
const char *probe_lock_verdict_name(enum lock_verdict verdict);

/* Appends 'mutex 0x7f.. held by thread 4244 "account"'. */
void probe_lock_sentence(const struct lock_view *view, const struct lock_waiter *waiter,
                         struct buffer *text);

/* The verdict in capital letters; NULL: nothing is proved. */
const char *probe_lock_verdict_shown(enum lock_verdict verdict);

/* Whether a cycle is shown as beginning with this wait: the lowest of its threads. */
bool probe_lock_cycle_begins(const struct lock_view *view, size_t waiter);

#endif
