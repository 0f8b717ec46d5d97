/*
 * Heap profiles for pprof, made from gperftools' text: as profile.proto, as text with
 * function, file and line in comments, and as the difference of two snapshots.
 *
 * The text has a header, then a line for each stack, the largest first: "in-use
 * objects: bytes [allocated objects: bytes] @ return addresses". Source: gperftools,
 * heapprofile.html and src/heap-profile-table.cc. gperftools 2.10 cuts the text at 1
 * MiB, so the smallest stacks may be missing. Their bytes are the header's total minus
 * those of all lines. They are shown as "heap_stacks_cut_from_text", so the totals are
 * exact.
 */
#ifndef PROBE_HEAP_HEAP_PROFILE_H
#define PROBE_HEAP_HEAP_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "probe/proto/profile_proto.h"
#include "probe/stacks/stacks.h"

/* The values of a heap profile, in Go's order. */
enum {
    HEAP_ALLOC_OBJECTS,
    HEAP_ALLOC_SPACE,
    HEAP_INUSE_OBJECTS,
    HEAP_INUSE_SPACE,
};

/* A heap profile's text after parsing. Lives in memory that the caller owns. */
struct heap_text {
    struct stacks stacks;
    int64_t totals[STACK_VALUES]; /* the values in the header */
    int64_t cut[STACK_VALUES];    /* the values of the missing stacks */
    bool is_cut;
};

/* Parses the text. Returns 0, -ENOMEM, or -EBADMSG if it is not a heap profile. After
 * an error there is nothing to release. */
int probe_heap_text_parse(const char *text, struct heap_text *ret_parsed);
void probe_heap_text_release(struct heap_text *parsed);

/* What a profile shows first: `inuse_space` for heap, `alloc_space` for allocs. */
enum heap_view { HEAP_VIEW_INUSE, HEAP_VIEW_ALLOCS };

/* Describes a profile of now in which every allocation is recorded. */
struct profile_description probe_heap_description(enum heap_view view);

/* Subtracts the values of each stack of `before` from those in `after`. Returns 0 or
 * -ENOMEM. */
int probe_heap_stacks_subtract(struct stacks *after, const struct stacks *before);

/* Appends profile.proto for one snapshot. Returns 0, -ENOMEM or -EBADMSG. */
int probe_heap_profile_proto(const char *text, enum heap_view view,
                             struct buffer *ret_profile);

/* Appends profile.proto for the difference of two snapshots, taken `duration_ns` apart.
 * For each stack: what it allocated in between, and how much its in-use figures grew
 * (negative if they shrank, as in Go). Returns 0, -ENOMEM or -EBADMSG. */
int probe_heap_profile_difference(const char *before, const char *after,
                                  int64_t duration_ns, enum heap_view view,
                                  struct buffer *ret_profile);

/* Appends the text with a comment line after each stack for each of its frames, as in
 * Go's ?debug=1: "#\t0x<address>\t<function>+0x<offset>\t<file>:<line>". Both
 * google-pprof and go tool pprof can still read it. Returns 0, -ENOMEM or -EBADMSG. */
int probe_heap_profile_text(const char *text, struct buffer *ret_text);

#endif
