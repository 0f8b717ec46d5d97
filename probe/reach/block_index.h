/*
 * The blocks that are in use, sorted by address, and which of them a word points into.
 * Made in the frozen copy of the process (reach.h): so it takes its memory from mmap,
 * and no lock.
 */
#ifndef PROBE_REACH_BLOCK_INDEX_H
#define PROBE_REACH_BLOCK_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REACH_NONE UINT32_MAX
#define REACH_SHOWN_BYTES 16

/* A block, and what is found out about it. */
struct reach_block {
    uintptr_t address;
    uint64_t bytes;
    uint32_t stack;  /* number of the stack that allocated it (stack_records.h) */
    uint32_t holder; /* whose it is, REACH_NONE: it is lost */
    uint32_t from;   /* the block through which it is held; REACH_NONE: a root points
                        to it, or it is lost */
    uint32_t root;   /* if so: the number of that root */
    uint32_t walk;   /* scratch space of the walks over lost blocks */
    bool shared;     /* others hold it, too */
    bool indirect;   /* lost, and a lost block leads to it */
    bool searched;   /* it has thread-local variables: its words are roots already */
    unsigned char first[REACH_SHOWN_BYTES]; /* of its contents */
};

/* A block as it is listed. */
struct block_item {
    uintptr_t address;
    uint64_t bytes;
    uint32_t stack;
};

struct block_index {
    struct reach_block *blocks; /* by address; the caller's */
    uint32_t count;
    uintptr_t low; /* the first address of the first block */
    uintptr_t high;
    struct page_entry *pages;
    size_t page_mask;
};

/* Sorts the items by address, and makes blocks of them in the same memory, which must
 * have room for so many blocks; then the index. `first` of a block is not filled in.
 * Returns 0 or -ENOMEM. */
int probe_block_index_make(struct block_item *items, uint32_t count,
                           struct block_index *ret_index);

/* The number of the block that the word points to or into; or REACH_NONE. A block of no
 * bytes is found by its address. */
uint32_t probe_block_index_find(const struct block_index *index, uintptr_t word);

/* The same search in three steps, so that other words can be looked at while the memory
 * for this one is fetched: whether the word may point to a block at all; what the
 * search will need; and then the search. */
bool probe_block_index_may_find(const struct block_index *index, uintptr_t word);
void probe_block_index_approach(const struct block_index *index, uintptr_t word);

#endif
