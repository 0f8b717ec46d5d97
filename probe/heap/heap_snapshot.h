/*
 * The heap profile of one moment, from gperftools or from our own recorder. Every page
 * and file is written from it: profile.proto, gperftools' text format, the same with
 * names in comments, and the difference of two moments.
 *
 * gperftools' profile stays its own text, see heap_profile.h. The recorder's is a set
 * of stacks, of which the text is written here:
 *
 *   heap profile: 2: 300 [5: 700] @ heapprofile         or, sampled, @ heap_v2/524288
 *   2: 300 [4: 600] @ 0x55d0c3a1 0x55d0c3b2
 *   ...
 *   MAPPED_LIBRARIES:                                   then /proc/self/maps
 *
 * Source of heap_v2: Go's pprof, profile/legacy_profile.go: the counts are those of the
 * samples, and a reader scales each stack by the mean size of its objects.
 */
#ifndef PROBE_HEAP_HEAP_SNAPSHOT_H
#define PROBE_HEAP_HEAP_SNAPSHOT_H

#include <stdint.h>

#include "base/buffer.h"
#include "probe/heap/heap_profile.h"
#include "probe/stacks/stacks.h"

/* The values that a snapshot of samples has: scaled up to what they stand for, as in
 * profile.proto, or as they were counted, as in gperftools' text. Where every
 * allocation is recorded, they are the same. */
enum heap_values { HEAP_VALUES_SCALED, HEAP_VALUES_RAW };

/* Lives in memory that the caller owns; { 0 } is empty. */
struct heap_snapshot {
    char *text;           /* gperftools', from malloc, or `kept`; NULL: the recorder's
                             `stacks` */
    struct buffer kept;   /* the text, when it has left the heap */
    struct stacks stacks; /* values in the order of heap_profile.h */
    int64_t period;       /* bytes between two samples, on average; 1: every
                             allocation is recorded */
    uint64_t lost;        /* blocks that the recorder could not note, or did
                             not see go */
    const char *note;     /* a comment for profile.proto, of the caller's; NULL: none */
};

/* Sums over a profile. */
struct heap_sums {
    int64_t objects; /* in use */
    int64_t bytes;   /* in use */
    uint64_t stacks; /* that have something in use */
};

/* Appends profile.proto. Needs scaled values. Returns 0, -ENOMEM or -EBADMSG. */
int probe_heap_snapshot_proto(const struct heap_snapshot *snapshot, enum heap_view view,
                              struct buffer *ret_profile);

/* Appends gperftools' text format, the stacks with the most bytes in use first. Needs
 * raw values. Returns 0 or -errno. */
int probe_heap_snapshot_text(const struct heap_snapshot *snapshot,
                             struct buffer *ret_text);

/* Appends the same text with a comment line for each frame, see
 * probe_heap_profile_text. Needs raw values. Returns 0 or -errno. */
int probe_heap_snapshot_comments(const struct heap_snapshot *snapshot,
                                 struct buffer *ret_text);

/* Appends profile.proto for the difference of two snapshots of the same source, taken
 * `duration_ns` apart: see probe_heap_profile_difference. Both need scaled values;
 * those of `after` change. Returns 0, -ENOMEM or -EBADMSG. */
int probe_heap_snapshot_difference(const struct heap_snapshot *before,
                                   struct heap_snapshot *after, int64_t duration_ns,
                                   enum heap_view view, struct buffer *ret_profile);

/* Moves gperftools' text to memory that is not malloc's, so that it is not in a later
 * snapshot. Returns 0 or -ENOMEM. */
int probe_heap_snapshot_leave_heap(struct heap_snapshot *snapshot);

/* Adds up what is in use. Returns 0, -ENOMEM or -EBADMSG. */
int probe_heap_snapshot_sum(const struct heap_snapshot *snapshot,
                            struct heap_sums *ret_sums);

void probe_heap_snapshot_release(struct heap_snapshot *snapshot);

#endif
