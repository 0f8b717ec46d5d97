/*
 * Who waits for which lock, as JSON for programs.
 */
#ifndef PROBE_PAGES_LOCK_JSON_H
#define PROBE_PAGES_LOCK_JSON_H

#include "base/buffer.h"
#include "probe/locks/lock_view.h"

/* Appends the whole object. The stacks of the view must have been taken. `missing` says
 * why nothing is measured; NULL: it is. The buffer keeps the first error. */
void probe_lock_json_write(const struct lock_view *view, const char *missing,
                           struct buffer *ret_text);

#endif
