/*
 * What a question about reach.h has found, added up: what is lost, by the stack that
 * allocated it; and what is held, by the way from its holder.
 *
 *   payload_read      the function that allocated the block        leaf
 *   orders_reserve    that allocated the block which points to it
 *   global orders     the holder                                   node without parent
 *
 * A run of blocks of the same function, such as a list, is one node. Allocation
 * wrappers (base/wrapper_names.h) and the libraries of C and C++ are passed over: who
 * called them allocated.
 *
 * Two questions can be added with opposite signs: then the profile says what came to
 * each holder in between.
 */
#ifndef PROBE_REACH_REACH_PROFILE_H
#define PROBE_REACH_REACH_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "probe/reach/holders.h"
#include "probe/reach/reach.h"
#include "probe/stacks/hash_table.h"

#define NODE_NONE UINT32_MAX

/* One block of many, for a person to look at. Between two questions the profile lies in
 * memory that the second one may take for a root, so no pointer stands in it: every bit
 * of the address and of the bytes is turned over. */
struct reach_example {
    uintptr_t turned_address; /* 0: none yet */
    uint64_t bytes;
    unsigned char turned_first[REACH_SHOWN_BYTES];
};

/* Lost blocks with the same stack. */
struct lost_stack {
    uint32_t stack; /* its number (stack_records.h) */
    uint32_t place; /* number in `places` */
    int64_t objects;
    int64_t bytes;
    int64_t direct_objects; /* to which no other lost block leads */
    int64_t direct_bytes;
    struct reach_example example; /* a direct one, if there is one */
};

/* A function that allocates: an address in it, where it does so. */
struct allocator_place {
    uintptr_t address;
    uint32_t function; /* equal numbers are the same function */
};

/* A step on the way from a holder. */
struct path_node {
    uint32_t parent;   /* nearer to the holder; NODE_NONE: this is the holder */
    uint32_t number;   /* of the holder, or of the function */
    uintptr_t address; /* of a function: where it allocates */
};

/* Blocks that are held in the same way, and were allocated at the same place. */
struct retained_path {
    uint32_t node;  /* the way, from the holder to the blocks' own function */
    uint32_t place; /* number in `places` */
    uint32_t stack; /* of the example, see stack_records.h */
    bool shared;    /* other holders lead to them, too */
    int64_t objects;
    int64_t bytes;
    struct reach_example example;
};

struct reach_sums {
    int64_t objects;
    int64_t bytes;
};

/* Lives in memory that the caller owns; { 0 } is empty. */
struct reach_profile {
    struct holders holders; /* give it to the question as its argument */

    struct buffer lost;     /* struct lost_stack */
    struct buffer retained; /* struct retained_path */
    struct buffer nodes;    /* struct path_node */
    struct buffer places;   /* struct allocator_place */

    struct table lost_index;     /* by the stack's number */
    struct table retained_index; /* by node, place and `shared` */
    struct table node_index;     /* by parent and number */
    struct table place_index;    /* by the stack's number */
    struct table address_index;  /* of places, by address */
    struct table function_index; /* by the function's start */
    uint32_t functions_count;

    /* Of the last question. */
    int64_t stopped_ns;
    int64_t began_ns; /* base/clock.h */
    size_t threads;
    size_t inexact;   /* threads whose registers are not all known */
    size_t not_read;  /* mappings that could not be read */
    bool heap_unsure; /* not all of the allocator's memory is known: some of what is
                         lost may not have been found */
    uint64_t missed;  /* blocks that the recorder could not follow, so far */

    /* Of all that was added. */
    bool difference;          /* some of it was taken away */
    struct reach_sums in_use; /* as the recorder has counted them */
    struct reach_sums lost_all;
    struct reach_sums lost_direct;
    struct reach_sums retained_all;
};

/* Adds what a question has found, or with a `sign` of -1 takes it away. Its roots must
 * have been named by probe_holders_name with `profile->holders`. Returns 0 or -ENOMEM.
 */
int probe_reach_profile_add(struct reach_profile *profile, const struct reach *reach,
                            int sign);

/* The items of the buffers above. */
size_t probe_reach_lost_count(const struct reach_profile *profile);
struct lost_stack *probe_reach_lost_at(const struct reach_profile *profile,
                                       size_t number);
size_t probe_reach_retained_count(const struct reach_profile *profile);
struct retained_path *probe_reach_retained_at(const struct reach_profile *profile,
                                              size_t number);
const struct path_node *probe_reach_node_at(const struct reach_profile *profile,
                                            uint32_t number);
const struct allocator_place *probe_reach_place_at(const struct reach_profile *profile,
                                                   uint32_t number);

void probe_reach_profile_release(struct reach_profile *profile);

#endif
