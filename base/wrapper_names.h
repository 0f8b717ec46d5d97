/*
 * The names of known allocation wrappers: functions that only pass an allocation on,
 * with a check or a count (`xmalloc`, redis' `zmalloc`, GLib's `g_malloc`). Who
 * allocated is their caller.
 */
#ifndef BASE_WRAPPER_NAMES_H
#define BASE_WRAPPER_NAMES_H

#include <stdbool.h>

/* Whether the function is a known wrapper. A name's suffix from the compiler
 * (`.part.0`) or its parameters do not matter. */
bool wrapper_name_known(const char *function);

/* Whether `pattern` is the name of the function, or the start of it before a '*' at the
 * pattern's end. */
bool wrapper_name_fits(const char *function, const char *pattern);

#endif
