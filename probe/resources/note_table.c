#include "probe/resources/note_table.h"

#include <string.h>

#include "probe/recorder/own_memory.h"

#define CAPACITY_LEAST 256

/* Takes the lock; in a signal handler only if it is free soon, because this thread may
 * hold it. */
static bool table_take(struct note_table *table)
{
    if (probe_lock_take_safely(&table->lock)) {
        return true;
    }
    __atomic_fetch_add(&table->missed, 1, __ATOMIC_RELAXED);
    return false;
}

static size_t place_of(const struct note_table *table, uint64_t key)
{
    return (size_t)((key * 0x9e3779b97f4a7c15U) >> 32) & (table->capacity - 1);
}

/* The entry of the key, or the free one where it would be. The table has memory. */
static struct note_entry *entry_of(const struct note_table *table, uint64_t key)
{
    size_t at = place_of(table, key);
    while (table->entries[at].key != NOTE_NO_KEY && table->entries[at].key != key) {
        at = (at + 1) & (table->capacity - 1);
    }
    return &table->entries[at];
}

/* Makes room for one more; at least half of the table stays free. */
static bool grow(struct note_table *table)
{
    if (table->count * 2 < table->capacity) {
        return true;
    }
    struct note_table larger = *table;
    larger.capacity = table->capacity == 0 ? CAPACITY_LEAST : table->capacity * 2;
    larger.entries = probe_own_memory_take(larger.capacity * sizeof(*larger.entries));
    if (larger.entries == NULL) {
        return false;
    }
    memset(larger.entries, 0xff, larger.capacity * sizeof(*larger.entries));
    for (size_t i = 0; i < table->capacity; i++) {
        if (table->entries[i].key != NOTE_NO_KEY) {
            *entry_of(&larger, table->entries[i].key) = table->entries[i];
        }
    }
    probe_own_memory_give(table->entries, table->capacity * sizeof(*table->entries));
    table->entries = larger.entries;
    table->capacity = larger.capacity;
    return true;
}

void probe_note_put(struct note_table *table, struct note_entry entry)
{
    if (!table_take(table)) {
        return;
    }
    struct note_entry *place = table->count == 0 ? NULL : entry_of(table, entry.key);
    if (place != NULL && place->key == entry.key) {
        *place = entry;
    } else if (grow(table)) {
        *entry_of(table, entry.key) = entry;
        table->count++;
    } else {
        table->missed++;
    }
    probe_lock_give(&table->lock);
}

/* Frees an entry, and moves those behind it that would not be found any more. */
static void entry_remove(struct note_table *table, struct note_entry *entry)
{
    size_t mask = table->capacity - 1;
    size_t free = (size_t)(entry - table->entries);
    for (size_t at = (free + 1) & mask; table->entries[at].key != NOTE_NO_KEY;
         at = (at + 1) & mask) {
        size_t wanted = place_of(table, table->entries[at].key);
        if (((at - wanted) & mask) >= ((at - free) & mask)) {
            table->entries[free] = table->entries[at];
            free = at;
        }
    }
    table->entries[free].key = NOTE_NO_KEY;
    table->count--;
}

static bool find_and(struct note_table *table, uint64_t key,
                     struct note_entry *ret_entry, bool remove)
{
    bool found = false;
    /* Lists look only, which no handler does. */
    if (remove ? !table_take(table) : !probe_lock_take_patiently(&table->lock)) {
        return false;
    }
    if (table->count > 0) {
        struct note_entry *entry = entry_of(table, key);
        found = entry->key == key;
        if (found && ret_entry != NULL) {
            *ret_entry = *entry;
        }
        if (found && remove) {
            entry_remove(table, entry);
        }
    }
    probe_lock_give(&table->lock);
    return found;
}

bool probe_note_take(struct note_table *table, uint64_t key,
                     struct note_entry *ret_entry)
{
    return find_and(table, key, ret_entry, true);
}

bool probe_note_find(struct note_table *table, uint64_t key,
                     struct note_entry *ret_entry)
{
    return find_and(table, key, ret_entry, false);
}

void probe_note_sweep(struct note_table *table,
                      bool (*gone)(const struct note_entry *entry, void *argument),
                      void *argument)
{
    if (!table_take(table)) {
        return;
    }
    size_t at = 0;
    while (at < table->capacity) {
        struct note_entry *entry = &table->entries[at];
        /* Another one may move to the place of the one that goes. */
        if (entry->key != NOTE_NO_KEY && gone(entry, argument)) {
            entry_remove(table, entry);
        } else {
            at++;
        }
    }
    probe_lock_give(&table->lock);
}

void probe_note_hold(struct note_table *table)
{
    probe_lock_take(&table->lock);
}

void probe_note_release(struct note_table *table)
{
    probe_lock_give(&table->lock);
}

void probe_note_forget_all(struct note_table *table)
{
    probe_own_memory_give(table->entries, table->capacity * sizeof(*table->entries));
    *table = (struct note_table){.missed = table->missed};
}
