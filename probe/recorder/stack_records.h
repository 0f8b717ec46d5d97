/*
 * The different stacks that allocated, each kept once, with what it allocated. A stack
 * that is known is found without a lock. Nothing is ever removed, so a record's address
 * and number stay valid.
 */
#ifndef PROBE_RECORDER_STACK_RECORDS_H
#define PROBE_RECORDER_STACK_RECORDS_H

#include <stddef.h>
#include <stdint.h>

struct stack_record {
    struct stack_record *same_bucket; /* the next one with a similar hash */
    struct stack_record *older;       /* the one that was made before */
    uint64_t hash;
    uint32_t number; /* from 1 on */
    uint32_t depth;
    _Atomic uint64_t blocks; /* allocated, as they were counted */
    _Atomic uint64_t bytes;
    _Atomic uint64_t weights; /* sampled: what these stand for, see poisson.h */
    _Atomic uint64_t weighted_bytes;
    uint64_t live_blocks; /* scratch space of a snapshot: in use, raw or weighted */
    uint64_t live_bytes;
    uintptr_t frames[]; /* `depth` */
};

/* Finds a stack, or makes its record. NULL when memory is short. */
struct stack_record *probe_record_of(const uintptr_t *frames, size_t depth);

/* The record with this number, which a record has. */
struct stack_record *probe_record_at(uint32_t number);

/* The newest record; `older` leads to all others. NULL if there is none. */
struct stack_record *probe_record_newest(void);

/* How many there are. */
uint64_t probe_record_count(void);

/* Around fork: no record is being made. */
void probe_record_hold(void);
void probe_record_release(void);

#endif
