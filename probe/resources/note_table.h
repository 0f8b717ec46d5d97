/*
 * Notes by a number: timers by the kernel's id, children by their pid. For what is made
 * some thousand times a second at most: one lock guards a table.
 */
#ifndef PROBE_RESOURCES_NOTE_TABLE_H
#define PROBE_RESOURCES_NOTE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/recorder/lock.h"
#include "probe/resources/resources.h"

struct note_entry {
    uint64_t key; /* never NOTE_NO_KEY */
    struct resource_note note;
    uint64_t extra; /* what the table's owner wants to know besides */
};

#define NOTE_NO_KEY UINT64_MAX

/* Lives as long as the process; { 0 } is empty. */
struct note_table {
    struct probe_lock lock;
    struct note_entry *entries; /* open addressing, linear probing */
    size_t capacity;            /* a power of two, or 0 */
    size_t count;
    uint64_t missed; /* notes that were lost: memory was short, or the table was busy in
                        a signal handler */
};

/* Notes a thing; a note that its key had before is replaced: it was not seen to go. The
 * caller of each function has entered the probe (inside.h). Where nothing else is said,
 * they may be called in a signal handler. */
void probe_note_put(struct note_table *table, struct note_entry entry);

/* Takes the note away. Returns whether there was one; `ret_entry` may be NULL. */
bool probe_note_take(struct note_table *table, uint64_t key,
                     struct note_entry *ret_entry);

/* Reads the note. Returns whether there is one. Not for signal handlers. */
bool probe_note_find(struct note_table *table, uint64_t key,
                     struct note_entry *ret_entry);

/* Takes away every note for which `gone` says so. It is called with the lock held: it
 * is short, and calls nothing of this table. */
void probe_note_sweep(struct note_table *table,
                      bool (*gone)(const struct note_entry *entry, void *argument),
                      void *argument);

/* Around fork, and in a child that has none of these things. */
void probe_note_hold(struct note_table *table);
void probe_note_release(struct note_table *table);
void probe_note_forget_all(struct note_table *table);

#endif
