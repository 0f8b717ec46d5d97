/*
 * Heap profiles for the pprof world, made from gperftools' text: as profile.proto, as
 * text with function, file and line in comments, and as the difference of two moments.
 *
 * Source of the text's format: gperftools, heapprofile.html and
 * src/heap-profile-table.cc: a header, then a line for each stack, "in-use objects:
 * bytes [allocated objects: bytes] @ addresses", the largest first. The addresses are
 * return addresses. gperftools 2.10 cuts the text at 1 MiB: the smallest stacks are
 * then missing, and what they hold is what the header counts more than the lines do. It
 * is shown as "heap_stacks_cut_from_text", so that the totals are right to the byte.
 */
#ifndef PROBE_HEAP_HEAP_PROFILE_H
#define PROBE_HEAP_HEAP_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "probe/stacks/stacks.h"

/* The order of a heap profile's values: Go's. */
enum {
    HEAP_ALLOC_OBJECTS,
    HEAP_ALLOC_SPACE,
    HEAP_INUSE_OBJECTS,
    HEAP_INUSE_SPACE,
};

/* A heap profile's text, taken apart. Lives in memory that the caller owns. */
struct heap_text {
    struct stacks stacks;
    int64_t totals[STACK_VALUES]; /* of the header */
    int64_t cut[STACK_VALUES];    /* of what the text has no stacks for */
    bool is_cut;
};

/* Takes the text apart. Returns 0, -ENOMEM, or -EBADMSG if it is not such a text. On
 * failure there is nothing to release. */
int probe_heap_text_parse(const char *text, struct heap_text *ret_parsed);
void probe_heap_text_release(struct heap_text *parsed);

/* What a profile shows first: `inuse_space` for heap, `alloc_space` for allocs. */
enum heap_view { HEAP_VIEW_INUSE, HEAP_VIEW_ALLOCS };

/* Appends profile.proto for one snapshot. Returns 0, -ENOMEM or -EBADMSG. */
int probe_heap_profile_proto(const char *text, enum heap_view view,
                             struct buffer *ret_profile);

/* Appends profile.proto for what changed between two snapshots: of each stack what it
 * allocated meanwhile, and by how much its in-use figures grew (or shrank: then they
 * are negative, as Go's are). `duration_ns` lies between them. Returns 0, -ENOMEM or
 * -EBADMSG. */
int probe_heap_profile_difference(const char *before, const char *after,
                                  int64_t duration_ns, enum heap_view view,
                                  struct buffer *ret_profile);

/* Appends the text, each stack followed by a comment line for each frame:
 * "#\t0x<address>\t<function>+0x<offset>\t<file>:<line>", as Go's ?debug=1 has them.
 * Both pprof programs still read it. Returns 0, -ENOMEM or -EBADMSG. */
int probe_heap_profile_text(const char *text, struct buffer *ret_text);

#endif
