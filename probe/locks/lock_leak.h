/*
 * The threads that never go on, by where they wait.
 */
#ifndef PROBE_LOCKS_LOCK_LEAK_H
#define PROBE_LOCKS_LOCK_LEAK_H

#include "base/buffer.h"
#include "probe/locks/lock_view.h"

/* Appends profile.proto, with the reason as a label. The stacks of the view must have
 * been taken. Returns 0 or -ENOMEM. */
int probe_lock_leak_proto(const struct lock_view *view, struct buffer *ret_profile);

/* Appends the text of ?debug=1, most numerous stack first. Returns 0 or -ENOMEM. */
int probe_lock_leak_text(const struct lock_view *view, struct buffer *ret_text);

#endif
