/*
 * Three walks over the graph of blocks:
 *
 *   1. From the roots, kind by kind, breadth first: whoever comes first is the holder,
 *      by the shortest way. Where a second holder comes to a block that has one, the
 *      block is shared.
 *   2. From the shared blocks: all that they lead to is shared as well.
 *   3. Over the blocks that were not reached. A lost block to which no other lost one
 *      leads is lost directly. Of blocks that lead to each other in a circle, one is:
 *      the circle that no other lost block leads to has a block from which a walk in
 *      any order starts last (as in Kosaraju's algorithm for strong components).
 */
#include "probe/reach/flood.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* Almost all the time goes to waiting for memory. So it is asked for early: a block so
 * many turns before its own; and so many pointers are followed together. */
#define AHEAD 16
#define POINTERS 64

#define STACK_BYTES_MIN 16384 /* of a thread: PTHREAD_STACK_MIN */

/* A word that may point to a block. */
struct pointer {
    uintptr_t word;
    uint32_t from; /* the block that has it */
};

struct flood {
    const struct flood_idle *idle;
    const struct block_index *index;
    struct reach_block *blocks;
    uint32_t *queue; /* as many places as there are blocks */
    uint32_t begin;  /* of what waits in the queue */
    uint32_t end;
    struct pointer pointers[POINTERS]; /* still to be followed */
    unsigned pointers_count;
};

typedef void edge_function(struct flood *flood, uint32_t from, uint32_t to);

/* The end of the idle part that begins at or before the address, and goes on there; or
 * the address. */
static uintptr_t idle_skip(const struct flood *flood, uintptr_t address)
{
    for (size_t i = 0; i < flood->idle->count; i++) {
        const struct range *part = &flood->idle->parts[i];
        if (range_has(*part, address)) {
            return part->end;
        }
    }
    return address;
}

/* Follows the pointers that wait, in the order in which they were found. */
static void pointers_follow(struct flood *flood, edge_function *edge)
{
    for (unsigned i = 0; i < flood->pointers_count; i++) {
        probe_block_index_approach(flood->index, flood->pointers[i].word);
    }
    for (unsigned i = 0; i < flood->pointers_count; i++) {
        struct pointer pointer = flood->pointers[i];
        uint32_t to = probe_block_index_find(flood->index, pointer.word);
        if (to != REACH_NONE && to != pointer.from) {
            edge(flood, pointer.from, to);
        }
    }
    flood->pointers_count = 0;
}

/* Finds the words in a block that may point to other blocks, and follows them when they
 * are enough. */
static void block_search(struct flood *flood, uint32_t number, edge_function *edge)
{
    const struct reach_block *block = &flood->blocks[number];
    uintptr_t first =
        (block->address + sizeof(uintptr_t) - 1) & ~(sizeof(uintptr_t) - 1);
    uintptr_t end = block->searched ? first : block->address + block->bytes;
    bool may_be_idle = flood->idle->count > 0 && block->bytes >= STACK_BYTES_MIN;
    for (uintptr_t at = first; at + sizeof(uintptr_t) <= end; at += sizeof(uintptr_t)) {
        at = may_be_idle ? idle_skip(flood, at) : at;
        uintptr_t word = *(const uintptr_t *)at;
        if (!probe_block_index_may_find(flood->index, word)) {
            continue;
        }
        flood->pointers[flood->pointers_count++] = (struct pointer){word, number};
        if (flood->pointers_count == POINTERS) {
            pointers_follow(flood, edge);
        }
    }
}

/* Calls `edge` for each word in a block that points to another block. */
static void edges_each(struct flood *flood, uint32_t number, edge_function *edge)
{
    block_search(flood, number, edge);
    pointers_follow(flood, edge);
}

static void queue_add(struct flood *flood, uint32_t number)
{
    flood->queue[flood->end++] = number;
}

/* Has the processor fetch what will be looked at soon. */
static void queue_prefetch(const struct flood *flood)
{
    if (flood->begin + 2 * AHEAD < flood->end) {
        __builtin_prefetch(&flood->blocks[flood->queue[flood->begin + 2 * AHEAD]]);
    }
    if (flood->begin + AHEAD < flood->end) {
        __builtin_prefetch(
            (const void *)flood->blocks[flood->queue[flood->begin + AHEAD]].address);
    }
}

static void queue_empty(struct flood *flood, edge_function *edge)
{
    while (flood->begin < flood->end) {
        queue_prefetch(flood);
        block_search(flood, flood->queue[flood->begin++], edge);
        if (flood->begin == flood->end) {
            pointers_follow(flood, edge);
        }
    }
}

/* ---- Who holds it ---- */

static void claim(struct flood *flood, uint32_t number, uint32_t holder, uint32_t from,
                  uint32_t root)
{
    struct reach_block *block = &flood->blocks[number];
    if (block->holder != REACH_NONE) {
        block->shared |= block->holder != holder;
        return;
    }
    block->holder = holder;
    block->from = from;
    block->root = root;
    queue_add(flood, number);
}

static void claim_by_block(struct flood *flood, uint32_t from, uint32_t to)
{
    claim(flood, to, flood->blocks[from].holder, from, REACH_NONE);
}

static void claim_all(struct flood *flood, const struct reach_root *roots,
                      uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        claim(flood, roots[i].block, roots[i].holder, REACH_NONE, i);
        if (i + 1 == count || roots[i + 1].kind != roots[i].kind) {
            queue_empty(flood, claim_by_block);
        }
    }
}

/* ---- What is shared ---- */

static void share(struct flood *flood, uint32_t from, uint32_t to)
{
    (void)from;
    if (!flood->blocks[to].shared) {
        flood->blocks[to].shared = true;
        queue_add(flood, to);
    }
}

static void share_all(struct flood *flood)
{
    flood->begin = flood->end = 0;
    for (uint32_t i = 0; i < flood->index->count; i++) {
        if (flood->blocks[i].shared) {
            queue_add(flood, i);
        }
    }
    queue_empty(flood, share);
}

/* ---- What is lost ---- */

/* In the walks over lost blocks `walk` says whether a block was visited: REACH_NONE, or
 * the smallest number of a walk. */
enum { WALK_LAST, WALK_FIRST };

static void visit(struct flood *flood, uint32_t from, uint32_t to)
{
    struct reach_block *block = &flood->blocks[to];
    if (block->holder == REACH_NONE && block->walk > flood->blocks[from].walk) {
        block->walk = flood->blocks[from].walk;
        queue_add(flood, to);
    }
}

static void mark_indirect(struct flood *flood, uint32_t from, uint32_t to)
{
    (void)from;
    if (flood->blocks[to].holder == REACH_NONE) {
        flood->blocks[to].indirect = true;
    }
}

static void walk_from(struct flood *flood, uint32_t number, uint32_t walk)
{
    flood->begin = flood->end = 0;
    flood->blocks[number].walk = walk;
    queue_add(flood, number);
    queue_empty(flood, visit);
}

static bool is_lost(const struct flood *flood, uint32_t number)
{
    return flood->blocks[number].holder == REACH_NONE;
}

/* A block of each circle that no other lost block leads to is not indirect. `starts`
 * has as many places as there are blocks. */
static void circles_begin(struct flood *flood, uint32_t *starts)
{
    uint32_t count = flood->index->count;
    uint32_t started = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (is_lost(flood, i) && !flood->blocks[i].indirect) {
            walk_from(flood, i, WALK_LAST);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (is_lost(flood, i) && flood->blocks[i].walk == REACH_NONE) {
            starts[started++] = i;
            walk_from(flood, i, WALK_FIRST);
        }
    }
    while (started-- > 0) {
        uint32_t start = starts[started];
        if (flood->blocks[start].walk == WALK_FIRST) {
            flood->blocks[start].indirect = false;
            walk_from(flood, start, WALK_LAST);
        }
    }
}

static void lost_all(struct flood *flood, uint32_t *starts)
{
    for (uint32_t i = 0; i < flood->index->count; i++) {
        if (is_lost(flood, i)) {
            edges_each(flood, i, mark_indirect);
        }
    }
    circles_begin(flood, starts);
}

int probe_flood(const struct block_index *index, const struct reach_root *roots,
                uint32_t roots_count, const struct flood_idle *idle, uint32_t *reached,
                uint32_t *ret_reached_count)
{
    struct flood flood = {
        .index = index, .idle = idle, .blocks = index->blocks, .queue = reached};
    size_t bytes = ((size_t)index->count + 1) * sizeof(uint32_t);
    uint32_t *memory = mmap(NULL, 2 * bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return -ENOMEM;
    }
    madvise(memory, 2 * bytes, MADV_HUGEPAGE);
    for (uint32_t i = 0; i < index->count; i++) {
        struct reach_block *block = &index->blocks[i];
        block->holder = block->from = block->root = block->walk = REACH_NONE;
        block->shared = block->indirect = false;
    }
    claim_all(&flood, roots, roots_count);
    *ret_reached_count = flood.end;
    flood.queue = memory;
    share_all(&flood);
    lost_all(&flood, memory + index->count + 1);
    munmap(memory, 2 * bytes);
    return 0;
}
