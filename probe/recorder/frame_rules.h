/*
 * How to get from a function's frame to its caller's, for each return address that was
 * seen: the table that makes taking a stack fast. It belongs to all threads, and is
 * read without a lock. Terms: the CFA ("canonical frame address") is the value that the
 * stack pointer has after the function has returned; the return address is just below
 * it.
 */
#ifndef PROBE_RECORDER_FRAME_RULES_H
#define PROBE_RECORDER_FRAME_RULES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum frame_kind {
    FRAME_UNKNOWN,
    FRAME_BY_SP, /* CFA = stack pointer + cfa_offset */
    FRAME_BY_BP, /* CFA = base pointer (rbp) + cfa_offset */
    FRAME_LAST,  /* it has no caller */
    FRAME_ODD,   /* none of these: only libunwind itself gets further */
};

struct frame_rule {
    uint8_t kind;
    bool bp_saved;     /* the caller's base pointer is at CFA + bp_offset; or else it is
                          still in the register */
    int16_t bp_offset; /* bytes */
    int32_t cfa_offset;
};

/* A hash table with open addressing. An address is written once and never moves or
 * goes, so a reader that finds it may take the rule beside it. At least half is free.
 */
struct frame_rules {
    unsigned shift; /* of a hash of 64 bits, to a number of an entry */
    size_t mask;    /* the number of entries, a power of two, minus one */
    size_t count;
    struct frame_rules_entry {
        _Atomic uintptr_t address; /* 0: free */
        _Atomic uint64_t rule;     /* a struct frame_rule; 0 is FRAME_UNKNOWN */
    } entries[];
};

/* The table as it is now, for some look-ups; NULL: there is none yet. */
extern struct frame_rules *_Atomic probe_rules_current;

/* The entry of this address, or the free one where it would be. */
static inline struct frame_rules_entry *probe_rule_entry(struct frame_rules *rules,
                                                         uintptr_t address)
{
    size_t at = (address * 0x9e3779b97f4a7c15U) >> rules->shift;
    for (;;) {
        uintptr_t other =
            atomic_load_explicit(&rules->entries[at].address, memory_order_acquire);
        if (other == address || other == 0) {
            return &rules->entries[at];
        }
        at = (at + 1) & rules->mask;
    }
}

/* The rule for this return address; FRAME_UNKNOWN if there is none. Inline, because it
 * is what most of the time of a stack goes to. */
static inline struct frame_rule probe_rule_find(struct frame_rules *rules,
                                                uintptr_t address)
{
    struct frame_rule rule = {.kind = FRAME_UNKNOWN};
    if (rules != NULL) {
        struct frame_rules_entry *entry = probe_rule_entry(rules, address);
        /* A free entry may get the rule of another address just now, before that
         * address itself: so the address decides. */
        if (atomic_load_explicit(&entry->address, memory_order_acquire) == address) {
            uint64_t word = atomic_load_explicit(&entry->rule, memory_order_relaxed);
            memcpy(&rule, &word, sizeof(rule));
        }
    }
    return rule;
}

/* Adds a rule. When memory is short, or a thread forks for long, it is not kept. */
void probe_rule_add(uintptr_t address, struct frame_rule rule);

/* Forgets all rules: code was unloaded, and other code may get its addresses. Returns
 * false, with nothing forgotten, if a thread forks for long. */
bool probe_rule_forget_all(void);

/* Around fork: nobody is changing the table. */
void probe_rule_hold(void);
void probe_rule_release(void);

#endif
