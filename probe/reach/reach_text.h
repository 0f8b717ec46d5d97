/*
 * What is lost, and who holds the rest, as text for a person: the largest first, with
 * one block of each stack to look at.
 */
#ifndef PROBE_REACH_REACH_TEXT_H
#define PROBE_REACH_REACH_TEXT_H

#include "base/buffer.h"
#include "probe/reach/reach_profile.h"

/* Both reorder the profile, and append. Return 0 or -ENOMEM. */
int probe_reach_lost_text(struct reach_profile *profile, struct buffer *ret_text);
int probe_reach_retained_text(struct reach_profile *profile, struct buffer *ret_text);

#endif
