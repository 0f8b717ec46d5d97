/*
 * Records are cut from chunks of memory. A record's number is its place: the chunk, and
 * in it the offset in units of 16 bytes.
 */
#include "probe/recorder/stack_records.h"

#include <stdatomic.h>
#include <string.h>

#include "probe/recorder/lock.h"
#include "probe/recorder/own_memory.h"
#include "probe/recorder/visit.h"

#define BUCKETS (1U << 16)
#define UNIT 16
#define CHUNK_BITS 14 /* of units: 256 KiB */
#define CHUNK_UNITS (1U << CHUNK_BITS)
#define CHUNKS (1U << 16) /* 16 GiB of stacks */

static struct stack_record *_Atomic buckets[BUCKETS];
static struct stack_record *_Atomic newest;
static _Atomic uint64_t count;
static struct probe_lock making;

/* A unit of number 0 is never used: 0 means "no stack". */
static char *chunks[CHUNKS];
static uint32_t next_unit = CHUNK_UNITS;

static uint64_t stack_hash(const uintptr_t *frames, size_t depth)
{
    /* Only the products are a chain that the processor must wait for. */
    uint64_t hash = depth;
    for (size_t i = 0; i < depth; i++) {
        uint64_t frame = frames[i] ^ (uint64_t)frames[i] << 32;
        hash = (hash + frame) * 0x9e3779b97f4a7c15U;
    }
    return hash ^ hash >> 32;
}

static struct stack_record *find(const uintptr_t *frames, size_t depth, uint64_t hash)
{
    struct stack_record *record =
        atomic_load_explicit(&buckets[hash % BUCKETS], memory_order_acquire);
    while (record != NULL &&
           (record->hash != hash || record->depth != depth ||
            memcmp(record->frames, frames, depth * sizeof(*frames)) != 0)) {
        record = record->same_bucket;
    }
    return record;
}

/* Cuts zeroed memory from the current chunk, or from a new one. Writes its number. */
static void *cut(size_t bytes, uint32_t *ret_number)
{
    uint32_t units = (uint32_t)((bytes + UNIT - 1) / UNIT);
    uint32_t chunk = next_unit >> CHUNK_BITS;
    if ((next_unit & (CHUNK_UNITS - 1)) + units > CHUNK_UNITS) {
        chunk++;
        next_unit = chunk << CHUNK_BITS;
    }
    if (chunk >= CHUNKS) {
        return NULL;
    }
    if (chunks[chunk] == NULL) {
        chunks[chunk] = probe_own_memory_take((size_t)CHUNK_UNITS * UNIT);
        if (chunks[chunk] == NULL) {
            return NULL;
        }
    }
    *ret_number = next_unit;
    next_unit += units;
    return chunks[chunk] + (size_t)(*ret_number & (CHUNK_UNITS - 1)) * UNIT;
}

static struct stack_record *make(const uintptr_t *frames, size_t depth, uint64_t hash)
{
    uint32_t number = 0;
    struct stack_record *record =
        cut(sizeof(*record) + depth * sizeof(*frames), &number);
    if (record == NULL) {
        return NULL;
    }
    record->hash = hash;
    record->number = number;
    record->depth = (uint32_t)depth;
    memcpy(record->frames, frames, depth * sizeof(*frames));
    struct stack_record *_Atomic *bucket = &buckets[hash % BUCKETS];
    record->same_bucket = atomic_load_explicit(bucket, memory_order_relaxed);
    record->older = atomic_load_explicit(&newest, memory_order_relaxed);
    /* Only now can others find it, with all that was written above. */
    atomic_store_explicit(bucket, record, memory_order_release);
    atomic_store_explicit(&newest, record, memory_order_release);
    atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
    return record;
}

struct stack_record *probe_record_of(const uintptr_t *frames, size_t depth)
{
    uint64_t hash = stack_hash(frames, depth);
    struct stack_record *record = find(frames, depth, hash);
    if (record == NULL) {
        struct probe_visit visit = probe_visit_begin();
        bool taken = probe_lock_take_patiently(&making);
        /* Another thread may have made it meanwhile. */
        record = find(frames, depth, hash);
        if (record == NULL && taken) {
            record = make(frames, depth, hash);
        }
        if (taken) {
            probe_lock_give(&making);
        }
        probe_visit_end(visit);
    }
    return record;
}

struct stack_record *probe_record_at(uint32_t number)
{
    return (struct stack_record *)(void *)(chunks[number >> CHUNK_BITS] +
                                           (size_t)(number & (CHUNK_UNITS - 1)) * UNIT);
}

struct stack_record *probe_record_newest(void)
{
    return atomic_load_explicit(&newest, memory_order_acquire);
}

uint64_t probe_record_count(void)
{
    return atomic_load_explicit(&count, memory_order_relaxed);
}

void probe_record_hold(void)
{
    probe_lock_take(&making);
}

void probe_record_release(void)
{
    probe_lock_give(&making);
}
