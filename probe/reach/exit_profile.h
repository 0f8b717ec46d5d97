/*
 * What is in use when a program ends, and what of it is lost: one profile.
 */
#ifndef PROBE_REACH_EXIT_PROFILE_H
#define PROBE_REACH_EXIT_PROFILE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "probe/reach/reach_profile.h"

/* Sums over the profile. */
struct exit_sums {
    struct reach_sums in_use;
    struct reach_sums lost;   /* part of in_use */
    struct reach_sums direct; /* part of lost: to which no other lost block leads */
    uint64_t stacks;          /* that have something in use */
};

/* Asks once (reach.h) and appends profile.proto: inuse_objects, inuse_space,
 * lost_objects, lost_space by the stack that allocated. A stack has up to two samples:
 * what is lost only through another lost block is in one with the label `indirect`,
 * and there counts as in use, too. What this call allocates is not recorded. Returns 0
 * or an error of probe_reach_ask, with its ret_stubborn; while another question is
 * being answered it waits for some seconds. */
int probe_reach_exit_proto(struct buffer *ret_profile, struct exit_sums *ret_sums,
                           pid_t *ret_stubborn);

#endif
