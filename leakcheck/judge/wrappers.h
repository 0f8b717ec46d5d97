/*
 * Allocation wrappers: functions that only pass an allocation on, with a check or a
 * count (`xmalloc`, redis' `zmalloc`, GLib's `g_malloc`). They never take the blame:
 * it belongs to their caller.
 */
#ifndef LEAKCHECK_JUDGE_WRAPPERS_H
#define LEAKCHECK_JUDGE_WRAPPERS_H

#include <stdbool.h>
#include <stddef.h>

/* Names of wrappers that the user gave: a whole name, or the start of one with a '*' at
 * its end. The caller owns the texts. */
struct wrappers {
    bool skip; /* false: no function counts as a wrapper, not even a known one */
    const char *const *names; /* besides the known ones; may be NULL */
    size_t count;
};

/* Whether the function is a wrapper: one of those in `wrappers`, or one that is known.
 * A name's suffix from the compiler (`.part.0`) or its parameters do not matter. */
bool wrappers_have(const struct wrappers *wrappers, const char *function);

#endif
