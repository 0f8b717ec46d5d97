/*
 * Each shard is a hash table with open addressing, at most three quarters full. A slot
 * that becomes free is filled by moving later ones up, so searches stay short however
 * many blocks come and go.
 */
#include "probe/recorder/live_blocks.h"

#include <errno.h>

#include "probe/recorder/inside.h"
#include "probe/recorder/lock.h"
#include "probe/recorder/own_memory.h"

#define SHARD_BITS 6
#define SHARDS (1U << SHARD_BITS)
#define FIRST_SLOTS 128

struct slot {
    uintptr_t address; /* 0: free */
    uint64_t bytes;
    uint32_t stack;
};

struct shard {
    struct probe_lock lock;
    size_t slots; /* a power of two, or 0 */
    size_t blocks;
    uint64_t bytes; /* of all its blocks */
    struct slot *table;
} __attribute__((aligned(64))); /* a cache line each */

static struct shard shards[SHARDS];

/* Allocators align blocks, so the lowest bits say nothing. */
static uint64_t address_hash(uintptr_t address)
{
    return (address >> 3) * 0x9e3779b97f4a7c15U;
}

static struct shard *shard_of(uintptr_t address)
{
    return &shards[address_hash(address) >> (64 - SHARD_BITS)];
}

/* Where the search for an address begins: other bits than those that chose the shard.
 */
static size_t home(const struct shard *shard, uintptr_t address)
{
    return (address_hash(address) >> 24) & (shard->slots - 1);
}

/* The slot with this address, or the free one where it would be. */
static size_t slot_find(const struct shard *shard, uintptr_t address)
{
    size_t at = home(shard, address);
    while (shard->table[at].address != 0 && shard->table[at].address != address) {
        at = (at + 1) & (shard->slots - 1);
    }
    return at;
}

/* Doubles the table. Returns 0 or -ENOMEM. */
static int shard_grow(struct shard *shard)
{
    struct shard larger = {.slots = shard->slots == 0 ? FIRST_SLOTS : shard->slots * 2};
    larger.table = probe_own_memory_take(larger.slots * sizeof(struct slot));
    if (larger.table == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < shard->slots; i++) {
        if (shard->table[i].address != 0) {
            larger.table[slot_find(&larger, shard->table[i].address)] = shard->table[i];
        }
    }
    probe_own_memory_give(shard->table, shard->slots * sizeof(struct slot));
    shard->slots = larger.slots;
    shard->table = larger.table;
    return 0;
}

int probe_live_add(uintptr_t address, struct recorder_note note)
{
    struct shard *shard = shard_of(address);
    int error = 0;
    probe_changing++;
    if (!probe_lock_take_patiently(&shard->lock)) {
        probe_changing--;
        return -EBUSY;
    }
    if (shard->blocks + 1 > shard->slots / 4 * 3) {
        error = shard_grow(shard);
    }
    /* One slot must stay free, or a search would not end. */
    if (error == 0 || shard->blocks + 1 < shard->slots) {
        error = 0;
        struct slot *slot = &shard->table[slot_find(shard, address)];
        if (slot->address != 0) {
            shard->blocks--;
            shard->bytes -= slot->bytes;
        }
        *slot = (struct slot){address, note.bytes, note.stack};
        shard->blocks++;
        shard->bytes += note.bytes;
    }
    probe_lock_give(&shard->lock);
    probe_changing--;
    return error;
}

/* Empties a slot, and moves up those behind it that could then not be found. */
static void slot_remove(struct shard *shard, size_t hole)
{
    size_t mask = shard->slots - 1;
    for (size_t at = (hole + 1) & mask; shard->table[at].address != 0;
         at = (at + 1) & mask) {
        size_t distance = (at - home(shard, shard->table[at].address)) & mask;
        if (distance >= ((at - hole) & mask)) {
            shard->table[hole] = shard->table[at];
            hole = at;
        }
    }
    shard->table[hole].address = 0;
}

enum live_taken probe_live_take(uintptr_t address, bool wait,
                                struct recorder_note *ret_note)
{
    struct shard *shard = shard_of(address);
    enum live_taken result = LIVE_UNKNOWN;
    probe_changing++;
    if (!(wait ? probe_lock_take_patiently(&shard->lock)
               : probe_lock_take_soon(&shard->lock))) {
        probe_changing--;
        return LIVE_BUSY;
    }
    if (shard->slots > 0) {
        size_t at = slot_find(shard, address);
        const struct slot *slot = &shard->table[at];
        if (slot->address != 0) {
            *ret_note = (struct recorder_note){slot->bytes, slot->stack};
            shard->blocks--;
            shard->bytes -= slot->bytes;
            slot_remove(shard, at);
            result = LIVE_TAKEN;
        }
    }
    probe_lock_give(&shard->lock);
    probe_changing--;
    return result;
}

void probe_live_each(void (*visit)(uintptr_t address, struct recorder_note note,
                                   void *argument),
                     void *argument)
{
    for (size_t i = 0; i < SHARDS; i++) {
        probe_lock_take(&shards[i].lock);
        for (size_t at = 0; at < shards[i].slots; at++) {
            const struct slot *slot = &shards[i].table[at];
            if (slot->address != 0) {
                visit(slot->address, (struct recorder_note){slot->bytes, slot->stack},
                      argument);
            }
        }
        probe_lock_give(&shards[i].lock);
    }
}

void probe_live_stopped_sums(uint64_t *ret_blocks, uint64_t *ret_bytes)
{
    *ret_blocks = 0;
    *ret_bytes = 0;
    for (size_t i = 0; i < SHARDS; i++) {
        *ret_blocks += shards[i].blocks;
        *ret_bytes += shards[i].bytes;
    }
}

void probe_live_stopped_each(void (*visit)(uintptr_t address, struct recorder_note note,
                                           void *argument),
                             void *argument)
{
    for (size_t i = 0; i < SHARDS; i++) {
        for (size_t at = 0; at < shards[i].slots; at++) {
            const struct slot *slot = &shards[i].table[at];
            if (slot->address != 0) {
                visit(slot->address, (struct recorder_note){slot->bytes, slot->stack},
                      argument);
            }
        }
    }
}

void probe_live_sums(uint64_t *ret_blocks, uint64_t *ret_bytes)
{
    *ret_blocks = 0;
    *ret_bytes = 0;
    for (size_t i = 0; i < SHARDS; i++) {
        probe_lock_take(&shards[i].lock);
        *ret_blocks += shards[i].blocks;
        *ret_bytes += shards[i].bytes;
        probe_lock_give(&shards[i].lock);
    }
}

void probe_live_forget_all(void)
{
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &shards[i];
        probe_changing++;
        probe_lock_take(&shard->lock);
        probe_own_memory_give(shard->table, shard->slots * sizeof(struct slot));
        shard->table = NULL;
        shard->slots = shard->blocks = shard->bytes = 0;
        probe_lock_give(&shard->lock);
        probe_changing--;
    }
}

void probe_live_hold_all(void)
{
    for (size_t i = 0; i < SHARDS; i++) {
        probe_lock_take(&shards[i].lock);
    }
}

void probe_live_release_all(void)
{
    for (size_t i = 0; i < SHARDS; i++) {
        probe_lock_give(&shards[i].lock);
    }
}
