/*
 * When the table is full a larger one takes its place. The old one stays, because a
 * thread may be reading it; all the old ones together are smaller than the new one.
 */
#include "probe/recorder/frame_rules.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "probe/recorder/lock.h"
#include "probe/recorder/own_memory.h"
#include "probe/recorder/visit.h"

#define FIRST_BITS 12

struct frame_rules *_Atomic probe_rules_current;
static struct probe_lock changing;

static_assert(sizeof(struct frame_rule) == sizeof(uint64_t), "a rule is one word");

/* Makes room for one more. Returns NULL when memory is short. */
static struct frame_rules *with_room(struct frame_rules *rules)
{
    if (rules != NULL && rules->count < rules->mask / 2) {
        return rules;
    }
    unsigned shift = rules == NULL ? 64 - FIRST_BITS : rules->shift - 1;
    size_t entries = (size_t)1 << (64 - shift);
    struct frame_rules *larger = probe_own_memory_take(
        sizeof(*larger) + entries * sizeof(struct frame_rules_entry));
    if (larger == NULL) {
        return NULL;
    }
    larger->shift = shift;
    larger->mask = entries - 1;
    for (size_t i = 0; rules != NULL && i <= rules->mask; i++) {
        uintptr_t address = atomic_load(&rules->entries[i].address);
        uint64_t word = atomic_load(&rules->entries[i].rule);
        if (address != 0 && word != 0) {
            struct frame_rules_entry *entry = probe_rule_entry(larger, address);
            atomic_store(&entry->rule, word);
            atomic_store(&entry->address, address);
            larger->count++;
        }
    }
    atomic_store_explicit(&probe_rules_current, larger, memory_order_release);
    return larger;
}

void probe_rule_add(uintptr_t address, struct frame_rule rule)
{
    uint64_t word;
    memcpy(&word, &rule, sizeof(word));
    struct probe_visit visit = probe_visit_begin();
    bool taken = probe_lock_take_patiently(&changing);
    struct frame_rules *rules =
        taken ? with_room(atomic_load(&probe_rules_current)) : NULL;
    if (rules != NULL) {
        struct frame_rules_entry *entry = probe_rule_entry(rules, address);
        atomic_store_explicit(&entry->rule, word, memory_order_relaxed);
        if (atomic_load(&entry->address) == 0) {
            atomic_store_explicit(&entry->address, address, memory_order_release);
            rules->count++;
        }
    }
    if (taken) {
        probe_lock_give(&changing);
    }
    probe_visit_end(visit);
}

bool probe_rule_forget_all(void)
{
    if (!probe_lock_take_patiently(&changing)) {
        return false;
    }
    struct frame_rules *rules = atomic_load(&probe_rules_current);
    for (size_t i = 0; rules != NULL && i <= rules->mask; i++) {
        atomic_store(&rules->entries[i].rule, 0);
    }
    probe_lock_give(&changing);
    return true;
}

void probe_rule_hold(void)
{
    probe_lock_take(&changing);
}

void probe_rule_release(void)
{
    probe_lock_give(&changing);
}
