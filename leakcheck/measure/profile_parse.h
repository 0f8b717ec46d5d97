/*
 * Parsers that read a profile from its text.
 */
#ifndef LEAKCHECK_MEASURE_PROFILE_PARSE_H
#define LEAKCHECK_MEASURE_PROFILE_PARSE_H

#include <stddef.h>

#include "base/failure.h"
#include "leakcheck/measure/profile.h"

/* Parse a text of `length` bytes, which is not trusted. Return 0, -ENOMEM, or -EPROTO
 * with a reason: not such a profile, incomplete, too many stacks, or amounts that are
 * too large. `ret_profile` is set only on success; the caller then releases it. */
int profile_parse_heap(struct profile *ret_profile, const char *text, size_t length,
                       struct failure *failure);
int profile_parse_threads(struct profile *ret_profile, const char *text, size_t length,
                          struct failure *failure);

#endif
