/*
 * Who waits for which lock, as text for people.
 */
#ifndef PROBE_LOCKS_LOCK_TEXT_H
#define PROBE_LOCKS_LOCK_TEXT_H

#include "base/buffer.h"
#include "probe/locks/lock_view.h"

/* Appends the text: one line that sums up, each deadlock, each lock that is never
 * released, the other waits, and where those are who have the locks. The stacks of the
 * view must have been taken. The buffer keeps the first error. */
void probe_lock_text_write(const struct lock_view *view, struct buffer *ret_text);

/* Appends ', waits for mutex 0x7f.. held by thread 4244 "account" (DEADLOCK)' if the
 * thread still waits. `view` is a struct lock_view. */
void probe_lock_text_remark(const void *view, pid_t tid, struct buffer *text);

#endif
