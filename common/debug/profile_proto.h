/*
 * Writes stacks as profile.proto, the format of the pprof world: function, file and
 * line are in it, so that a reader needs no binary.
 *
 * Source of the format: github.com/google/pprof, proto/profile.proto; of the encoding:
 * protobuf.dev, "Encoding".
 */
#ifndef LAB_DEBUG_PROFILE_PROTO_H
#define LAB_DEBUG_PROFILE_PROTO_H

#include <stddef.h>
#include <stdint.h>

#include "debug/buffer.h"
#include "debug/stacks.h"

struct profile_type {
    const char *type; /* "inuse_space" */
    const char *unit; /* "bytes" */
};

/* What a profile says besides its stacks. */
struct profile_description {
    struct profile_type types[STACK_VALUES]; /* of the values of a stack */
    size_t types_count;
    struct profile_type period_type; /* one sample stands for `period` of these */
    int64_t period;
    const char *default_type; /* what is shown first; NULL: the last type */
    int64_t time_ns;          /* since 1970 */
    int64_t duration_ns;      /* 0: a profile of one moment */
    const char *comment;      /* NULL: none */

    /* What belongs to no known stack: shown as one function of this name. */
    const char *rest_name; /* NULL: there is none */
    int64_t rest[STACK_VALUES];
};

/* Appends the profile, not compressed, to `ret_profile`. Stacks whose values are all
 * zero are left out. Calls symbols_load. Returns 0 or -ENOMEM. */
int profile_proto_write(const struct stacks *stacks,
                        const struct profile_description *description,
                        struct buffer *ret_profile);

/* Now, in nanoseconds since 1970. */
int64_t profile_now(void);

#endif
