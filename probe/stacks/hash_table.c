/*
 * Open addressing with linear probing; at most half of the slots are in use.
 */
#include "probe/stacks/hash_table.h"

#include <string.h>

#define TABLE_FIRST_SLOTS 1024

struct table_slot {
    uint64_t key;
    uint32_t number; /* 0: the slot is free */
};

uint64_t probe_table_mix(uint64_t key)
{
    /* The final steps of SplitMix64 (Steele, Lea, Flood 2014). */
    key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9U;
    key = (key ^ (key >> 27)) * 0x94d049bb133111ebU;
    return key ^ (key >> 31);
}

static struct table_slot *slots_of(struct buffer *buffer)
{
    return (struct table_slot *)(void *)buffer->data;
}

/* The slot that holds the key, or the free one where it belongs. */
static struct table_slot *slot_find(struct table_slot *slots, size_t capacity,
                                    uint64_t key)
{
    size_t i = probe_table_mix(key) & (capacity - 1);
    while (slots[i].number != 0 && slots[i].key != key) {
        i = (i + 1) & (capacity - 1);
    }
    return &slots[i];
}

/* Moves all entries into a table of twice the size. Returns 0 or -ENOMEM. */
static int table_grow(struct table *table)
{
    size_t capacity = table->capacity == 0 ? TABLE_FIRST_SLOTS : table->capacity * 2;
    struct buffer larger = {0};
    /* New memory of a buffer is all zeros, so all slots are free. */
    if (buffer_reserve(&larger, capacity * sizeof(struct table_slot)) == NULL) {
        return larger.error;
    }
    struct table_slot *from = slots_of(&table->slots);
    for (size_t i = 0; i < table->capacity; i++) {
        if (from[i].number != 0) {
            *slot_find(slots_of(&larger), capacity, from[i].key) = from[i];
        }
    }
    buffer_release(&table->slots);
    table->slots = larger;
    table->capacity = capacity;
    return 0;
}

uint32_t *probe_table_at(struct table *table, uint64_t key)
{
    if (table->count * 2 >= table->capacity && table_grow(table) != 0) {
        return NULL;
    }
    struct table_slot *slot = slot_find(slots_of(&table->slots), table->capacity, key);
    if (slot->number == 0) {
        /* Counted even if the caller stores no number: the table then only grows a
         * little earlier. */
        slot->key = key;
        table->count++;
    }
    return &slot->number;
}

void probe_table_release(struct table *table)
{
    buffer_release(&table->slots);
    *table = (struct table){0};
}
