/*
 * Parsers that read a profile from its text, or from pprof's profile.proto.
 */
#ifndef LEAKCHECK_MEASURE_PROFILE_PARSE_H
#define LEAKCHECK_MEASURE_PROFILE_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/failure.h"
#include "leakcheck/measure/profile.h"

/* Parse `length` bytes, which are not trusted: a text or a profile.proto, whichever it
 * is. Return 0, -ENOMEM, or -EPROTO with a reason: not such a profile, incomplete, too
 * many stacks, or amounts that are too large. `ret_profile` is set only on success; the
 * caller then releases it. */
int profile_parse_heap(struct profile *ret_profile, const char *text, size_t length,
                       struct failure *failure);
int profile_parse_threads(struct profile *ret_profile, const char *text, size_t length,
                          struct failure *failure);

/* Whether the bytes are a profile.proto, packed with gzip or not. */
bool profile_is_proto(const char *bytes, size_t length);

/* Parses a profile.proto: a thread profile if `threads`, otherwise a heap profile. Both
 * functions above call it. The same results as theirs. */
int profile_parse_proto(struct profile *ret_profile, const char *bytes, size_t length,
                        bool threads, struct failure *failure);

/* Parses a profile.proto of things that are counted, such as open descriptors: the
 * value with the name `counted` becomes inuse_objects, and the value "space", if there
 * is one, inuse_bytes. Equal stacks whose label "reason" differs are records of their
 * own. The same results. */
int profile_parse_counts(struct profile *ret_profile, const char *bytes, size_t length,
                         const char *counted, struct failure *failure);

#endif
