/*
 * A hash table with open addressing. An address is written once and never moves or
 * goes, so a reader that finds it may take the rule beside it. When the table is full a
 * larger one takes its place; the old one stays, because a thread may be reading it.
 */
#include "probe/recorder/frame_rules.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "probe/recorder/lock.h"
#include "probe/recorder/own_memory.h"

#define FIRST_BITS 12

struct entry {
    _Atomic uintptr_t address; /* 0: free */
    _Atomic uint64_t rule;     /* a struct frame_rule; 0 is FRAME_UNKNOWN */
};

struct rules {
    unsigned bits;
    size_t count;
    struct entry entries[];
};

static struct rules *_Atomic current;
static struct probe_lock changing;

static_assert(sizeof(struct frame_rule) == sizeof(uint64_t), "a rule is one word");

static size_t first_place(const struct rules *rules, uintptr_t address)
{
    return (address * 0x9e3779b97f4a7c15U) >> (64 - rules->bits);
}

/* The entry of this address, or the free one where it would be. At least half of the
 * entries are free. */
static struct entry *entry_of(struct rules *rules, uintptr_t address)
{
    size_t mask = ((size_t)1 << rules->bits) - 1;
    size_t at = first_place(rules, address);
    for (;;) {
        uintptr_t other =
            atomic_load_explicit(&rules->entries[at].address, memory_order_acquire);
        if (other == address || other == 0) {
            return &rules->entries[at];
        }
        at = (at + 1) & mask;
    }
}

struct frame_rule probe_rule_find(uintptr_t address)
{
    struct frame_rule rule = {.kind = FRAME_UNKNOWN};
    struct rules *rules = atomic_load_explicit(&current, memory_order_acquire);
    if (rules != NULL) {
        struct entry *entry = entry_of(rules, address);
        /* A free entry has no rule: between the two reads it may get the rule of
         * another address, so the address decides. */
        if (atomic_load_explicit(&entry->address, memory_order_acquire) == address) {
            uint64_t word = atomic_load_explicit(&entry->rule, memory_order_relaxed);
            memcpy(&rule, &word, sizeof(rule));
        }
    }
    return rule;
}

/* Makes room for one more. Returns NULL when memory is short. */
static struct rules *with_room(struct rules *rules)
{
    if (rules != NULL && rules->count < (size_t)1 << (rules->bits - 1)) {
        return rules;
    }
    unsigned bits = rules == NULL ? FIRST_BITS : rules->bits + 1;
    struct rules *larger = probe_own_memory_take(
        sizeof(*larger) + ((size_t)1 << bits) * sizeof(struct entry));
    if (larger == NULL) {
        return NULL;
    }
    larger->bits = bits;
    for (size_t i = 0; rules != NULL && i < (size_t)1 << rules->bits; i++) {
        uintptr_t address = atomic_load(&rules->entries[i].address);
        uint64_t word = atomic_load(&rules->entries[i].rule);
        if (address != 0 && word != 0) {
            struct entry *entry = entry_of(larger, address);
            atomic_store(&entry->rule, word);
            atomic_store(&entry->address, address);
            larger->count++;
        }
    }
    atomic_store_explicit(&current, larger, memory_order_release);
    return larger;
}

void probe_rule_add(uintptr_t address, struct frame_rule rule)
{
    uint64_t word;
    memcpy(&word, &rule, sizeof(word));
    probe_lock_take(&changing);
    struct rules *rules = with_room(atomic_load(&current));
    if (rules != NULL) {
        struct entry *entry = entry_of(rules, address);
        atomic_store_explicit(&entry->rule, word, memory_order_relaxed);
        if (atomic_load(&entry->address) == 0) {
            atomic_store_explicit(&entry->address, address, memory_order_release);
            rules->count++;
        }
    }
    probe_lock_give(&changing);
}

void probe_rule_forget_all(void)
{
    probe_lock_take(&changing);
    struct rules *rules = atomic_load(&current);
    for (size_t i = 0; rules != NULL && i < (size_t)1 << rules->bits; i++) {
        atomic_store(&rules->entries[i].rule, 0);
    }
    probe_lock_give(&changing);
}

void probe_rule_hold(void)
{
    probe_lock_take(&changing);
}

void probe_rule_release(void)
{
    probe_lock_give(&changing);
}
