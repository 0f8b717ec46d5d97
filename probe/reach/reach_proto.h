/*
 * What is lost, and who holds the rest, as profile.proto.
 */
#ifndef PROBE_REACH_REACH_PROTO_H
#define PROBE_REACH_REACH_PROTO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "probe/reach/reach_profile.h"

/* Appends the lost blocks by the stack that allocated them: lost_objects, lost_space,
 * and of these direct_objects, direct_space, to which no other lost block leads.
 * `duration_ns` is 0 for a profile of one moment. Returns 0 or -ENOMEM. */
int probe_reach_lost_proto(const struct reach_profile *profile, int64_t duration_ns,
                           struct buffer *ret_profile);

/* Appends inuse_objects and inuse_space of what is held. A stack is, from the leaf: the
 * function that allocated; those that allocated the blocks on the way; the holder by
 * name. Blocks that others hold, too, have the label `shared`. `with_lost`: also what
 * is lost, below a holder with that name. Returns 0 or -ENOMEM. */
int probe_reach_retained_proto(const struct reach_profile *profile, bool with_lost,
                               int64_t duration_ns, struct buffer *ret_profile);

/* Appends one line: how much is in use, held and lost, and how long the threads were
 * stopped. The line has no '\n'. */
void probe_reach_summary(const struct reach_profile *profile, struct buffer *text);

#endif
