/*
 * Notes of ranges of addresses, which do not overlap, in the order of the addresses: a
 * treap (a binary tree by address, which is a heap by a random number of each node), so
 * that each change costs a walk from the root. It has no lock, and takes no memory
 * itself: whoever has it gives it some.
 */
#ifndef PROBE_RESOURCES_RANGE_NOTES_H
#define PROBE_RESOURCES_RANGE_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/range.h"
#include "probe/resources/resources.h"

struct range_note {
    struct range range;
    struct resource_note note; /* of the part that was noted first */
    uint32_t placed; /* when its last part came to be there: later than note.made if
                        notes were joined, or the memory has moved. Ticks, too. */
};

struct range_node {
    struct range_note content;
    uint32_t left; /* numbers of nodes; 0: none */
    uint32_t right;
};

#define RANGE_CHUNK_NODES ((uint32_t)1024)
#define RANGE_CHUNKS ((uint32_t)1024)

/* Lives as long as the process; { 0 } is empty. */
struct range_notes {
    struct range_node *chunks[RANGE_CHUNKS];
    uint32_t chunk_count;
    uint32_t used;  /* numbers up to this one have been given out, beginning with 1 */
    uint32_t freed; /* the first free one of these, by `left`; 0: none */
    uint32_t count; /* how many notes there are */
    uint32_t root;
};

/* For how many more notes there is memory. */
uint32_t probe_range_notes_spare(const struct range_notes *notes);

/* Gives memory for RANGE_CHUNK_NODES nodes, zeroed, which is theirs from then on.
 * Returns false if they cannot be more. */
bool probe_range_notes_grow(struct range_notes *notes, struct range_node *chunk);

/* Notes a range; what was noted of it before is taken away. It is joined with a
 * neighbour that touches it, has the same stack, and is at most RANGE_JOINED_TICKS
 * older or younger: `made` is then the neighbour's, `placed` the later of both. Returns
 * false if there is no memory: then it has no note. */
#define RANGE_JOINED_TICKS 100
bool probe_range_notes_put(struct range_notes *notes, struct range_note note);

/* Takes away what is noted of a range, and stores the first `size` parts of it; returns
 * how many parts there were. A note that goes on at both sides needs memory for one
 * more: without it the upper side is lost. `ret_parts` may be NULL. */
size_t probe_range_notes_take(struct range_notes *notes, struct range range,
                              struct range_note *ret_parts, size_t size);

/* The first note that ends behind the address. Returns whether there is one. */
bool probe_range_notes_find(const struct range_notes *notes, uintptr_t address,
                            struct range_note *ret_note);

/* Takes away all. The memory stays. */
void probe_range_notes_clear(struct range_notes *notes);

#endif
