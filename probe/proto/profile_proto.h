/*
 * Writes stacks as profile.proto, the format that pprof reads. Function, file and line
 * are in it, so a reader needs no binary.
 *
 *   profile_begin   symbols are loaded; what is kept is dropped if a library came or
 * went profile_add     address --> dictionary.h --> number of its location writes
 * function, file, line and mapping once numbers and values --> a sample profile_add_as
 * the same, and known_stacks.h keeps the numbers by the stack's text profile_add_known
 * that text --> its numbers, without looking at any address profile_end     samples +
 * dictionary --> one message, all encoded by wire.h
 *
 * Source of the format: github.com/google/pprof, proto/profile.proto; of the encoding:
 * protobuf.dev, "Encoding".
 */
#ifndef PROBE_PROTO_PROFILE_PROTO_H
#define PROBE_PROTO_PROFILE_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "probe/stacks/stacks.h"

struct profile_type {
    const char *type; /* "inuse_space" */
    const char *unit; /* "bytes" */
};

/* What a profile says besides its stacks. */
struct profile_description {
    struct profile_type types[STACK_VALUES]; /* one for each value of a stack */
    struct profile_type period_type; /* one sample stands for `period` of these */
    int64_t period;
    const char *default_type; /* what is shown first; NULL: the last type */
    int64_t time_ns;          /* since 1970 */
    int64_t duration_ns;      /* 0: a profile of one moment */
    const char *comment;      /* NULL: none */

    /* Values that belong to no known stack: shown as one function of this name. */
    const char *rest_name; /* NULL: there is none */
    int64_t rest[STACK_VALUES];
};

/* The one writer of the process: it writes one profile at a time. What it has encoded
 * for an address (mapping, function, file and line) is kept for the next profile, which
 * then costs little more than its samples. */
struct profile_writer;

/* Begins a profile with `values_count` values a stack; waits while another one is being
 * written. Calls probe_symbols_load. probe_profile_end or probe_profile_abandon must
 * follow. */
struct profile_writer *probe_profile_begin(size_t values_count);

/* Adds a sample. One whose values are all zero is left out. */
void probe_profile_add(struct profile_writer *writer, const uintptr_t *frames,
                       size_t depth, const int64_t *values);

/* Adds a sample whose stack is known by its key, the text that it was read from: the
 * text is not parsed again. Returns false, with nothing added, if the key is new. */
bool probe_profile_add_known(struct profile_writer *writer, const char *key,
                             size_t key_bytes, const int64_t *values);

/* Adds a sample, and remembers its stack by the key. */
void probe_profile_add_as(struct profile_writer *writer, const char *key,
                          size_t key_bytes, const uintptr_t *frames, size_t depth,
                          const int64_t *values);

/* The place of an address: its number in the profile that is being written. 0: memory
 * is short. */
uint32_t probe_profile_place(struct profile_writer *writer, uintptr_t address);

/* A place that is no code, for example a variable that holds memory. `file` may be
 * NULL, `line` 0. The writer forgets all places after this profile: it is for profiles
 * that are not asked for every second. */
uint32_t probe_profile_place_named(struct profile_writer *writer, const char *name,
                                   const char *file, unsigned line);

/* Tells a sample apart from others with the same places. Static texts. */
struct profile_label {
    const char *key;
    const char *value;
};

/* Adds a sample with these places, the innermost first. `label` may be NULL. One whose
 * values are all zero is left out. */
void probe_profile_add_places(struct profile_writer *writer, const uint32_t *places,
                              size_t count, const int64_t *values,
                              const struct profile_label *label);

/* Appends the profile, not compressed. Returns 0 or -ENOMEM. */
int probe_profile_end(struct profile_writer *writer,
                      const struct profile_description *description,
                      struct buffer *ret_profile);

/* Ends without a profile. */
void probe_profile_abandon(struct profile_writer *writer);

/* Writes a whole profile of `stacks`. Returns 0 or -ENOMEM. */
int probe_profile_write(const struct stacks *stacks,
                        const struct profile_description *description,
                        struct buffer *ret_profile);

/* Now, in nanoseconds since 1970. */
int64_t probe_profile_now(void);

#endif
