/*
 * Reading a profile from its text.
 */
#ifndef LEAKCHECK_MEASURE_PROFILE_PARSE_H
#define LEAKCHECK_MEASURE_PROFILE_PARSE_H

#include <stddef.h>

#include "base/failure.h"
#include "leakcheck/measure/profile.h"

/* Read a text of `length` bytes, which may be hostile. Return 0, -EPROTO with a reason
 * (not such a profile, cut short, too many stacks, or amounts too large to work with),
 * or -ENOMEM; `ret_profile` is set on success only, and then the caller's to release.
 */
int profile_parse_heap(struct profile *ret_profile, const char *text, size_t length,
                       struct failure *failure);
int profile_parse_threads(struct profile *ret_profile, const char *text, size_t length,
                          struct failure *failure);

#endif
