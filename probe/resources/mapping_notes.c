/*
 * The lock is held for less than a microsecond. A thread that does not get it soon may
 * be in a signal handler, and have interrupted itself with the lock held; or another
 * thread forks. Then what is made is not noted; but what goes must be forgotten, or the
 * next one at its addresses would have its stack. So it is put aside, and whoever takes
 * the lock next forgets it first.
 */
#include "probe/resources/mapping_notes.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "probe/recorder/lock.h"
#include "probe/recorder/own_memory.h"
#include "probe/recorder/visit.h"
#include "probe/resources/note_table.h"

#define ASIDE_MAX 64
#define SPARE_LEAST 64

static struct probe_lock lock;
static struct range_notes notes;   /* the lock protects it */
static struct note_table segments; /* of shmat, by address; `extra` is the size */
static _Atomic uint64_t missed;
static atomic_bool is_noted; /* there was ever anything in the table */

/* Ranges to be forgotten. */
static struct {
    atomic_int state;
    struct range range;
} aside[ASIDE_MAX];
enum { ASIDE_FREE, ASIDE_BEING_WRITTEN, ASIDE_READY };
static atomic_bool is_aside;       /* there may be some */
static atomic_bool is_aside_short; /* there was no room for one */

static struct range range_of(const void *memory, size_t bytes)
{
    size_t page = (size_t)getpagesize();
    uintptr_t start = (uintptr_t)memory & ~(page - 1);
    uintptr_t end = ((uintptr_t)memory + bytes + page - 1) & ~(page - 1);
    return (struct range){start, end < start ? UINTPTR_MAX & ~(page - 1) : end};
}

static void put_aside(struct range range)
{
    for (size_t i = 0; i < ASIDE_MAX; i++) {
        int state = ASIDE_FREE;
        if (atomic_compare_exchange_strong(&aside[i].state, &state,
                                           ASIDE_BEING_WRITTEN)) {
            aside[i].range = range;
            atomic_store(&aside[i].state, ASIDE_READY);
            atomic_store(&is_aside, true);
            return;
        }
    }
    atomic_store(&is_aside_short, true);
    atomic_store(&is_aside, true);
}

/* Forgets what was put aside. The lock is held. */
static void aside_forget(void)
{
    atomic_store(&is_aside, false);
    for (size_t i = 0; i < ASIDE_MAX; i++) {
        if (atomic_load(&aside[i].state) == ASIDE_READY) {
            probe_range_notes_take(&notes, aside[i].range, NULL, 0);
            atomic_store(&aside[i].state, ASIDE_FREE);
        }
    }
    if (atomic_exchange(&is_aside_short, false)) {
        atomic_fetch_add(&missed, notes.count);
        probe_range_notes_clear(&notes);
    }
}

/* Takes the lock, if that is possible soon. A thread is not stopped for a page while it
 * has it. The caller is on a visit. */
static bool table_take(void)
{
    probe_changing++;
    if (!probe_lock_take_safely(&lock)) {
        probe_changing--;
        return false;
    }
    if (atomic_load(&is_aside)) {
        aside_forget();
    }
    return true;
}

static void table_give(void)
{
    probe_lock_give(&lock);
    probe_changing--;
}

/* In a process that was forked without the handlers of pthread_atfork nobody lists
 * anything, and the lock may be held for ever. */
static bool is_wanted(void)
{
    return probe_resources_forget() &&
           atomic_load_explicit(probe_resources_mark, memory_order_relaxed) != 0;
}

void probe_mapping_reserve(void)
{
    if (probe_range_notes_spare(&notes) >= SPARE_LEAST) {
        return;
    }
    const size_t bytes = RANGE_CHUNK_NODES * sizeof(struct range_node);
    struct probe_visit visit = probe_visit_begin();
    struct range_node *chunk = probe_own_memory_take(bytes);
    bool taken = chunk != NULL && table_take();
    bool grown = taken && probe_range_notes_grow(&notes, chunk);
    if (taken) {
        table_give();
    }
    if (!grown) {
        probe_own_memory_give(chunk, bytes);
    }
    probe_visit_end(visit);
}

/* Notes ranges: those at `parts`, all of which lie in `whole`. */
static void put_all(struct range whole, const struct range_note *parts, size_t count)
{
    if (!table_take()) {
        put_aside(whole); /* of what was there before, nothing is right */
        atomic_fetch_add(&missed, 1);
        return;
    }
    probe_range_notes_take(&notes, whole, NULL, 0);
    for (size_t i = 0; i < count; i++) {
        if (!probe_range_notes_put(&notes, parts[i]) &&
            parts[i].note.stack != MAPPING_BY_PROBE) {
            atomic_fetch_add(&missed, 1);
        }
    }
    atomic_store_explicit(&is_noted, true, memory_order_relaxed);
    table_give();
}

void probe_mapping_made(const void *memory, size_t bytes, const void *frame)
{
    if (memory == MAP_FAILED || !is_wanted()) {
        return;
    }
    bool wanted = probe_resources_wanted();
    struct probe_visit visit = probe_visit_begin();
    uint32_t now = probe_resource_now();
    struct range_note made = {range_of(memory, bytes), {MAPPING_BY_PROBE, now}, now};
    if (wanted) {
        made.note = probe_resource_note(frame);
        probe_mapping_reserve();
    }
    put_all(made.range, &made, made.note.stack == 0 ? 0 : 1);
    probe_visit_end(visit);
}

void probe_mapping_take(const void *memory, size_t bytes,
                        struct mapping_parts *ret_parts)
{
    ret_parts->count = 0;
    if (!is_wanted() || !atomic_load_explicit(&is_noted, memory_order_relaxed)) {
        return;
    }
    struct range range = range_of(memory, bytes);
    struct probe_visit visit = probe_visit_begin();
    if (table_take()) {
        size_t count =
            probe_range_notes_take(&notes, range, ret_parts->parts, MAPPING_PARTS);
        ret_parts->count = count < MAPPING_PARTS ? count : MAPPING_PARTS;
        table_give();
    } else {
        put_aside(range);
    }
    probe_visit_end(visit);
}

void probe_mapping_gone(const void *memory, size_t bytes)
{
    struct mapping_parts parts;
    probe_mapping_take(memory, bytes, &parts);
}

void probe_mapping_put_back(const struct mapping_parts *parts)
{
    if (parts->count > 0) {
        struct range whole = {parts->parts[0].range.start,
                              parts->parts[parts->count - 1].range.end};
        struct probe_visit visit = probe_visit_begin();
        put_all(whole, parts->parts, parts->count);
        probe_visit_end(visit);
    }
}

void probe_mapping_moved(const struct mapping_parts *parts, const void *from,
                         size_t bytes, const void *to, size_t new_bytes)
{
    if (!is_wanted()) {
        return;
    }
    struct range old = range_of(from, bytes);
    struct range new = range_of(to, new_bytes);
    uint32_t now = probe_resource_now();
    struct mapping_parts moved = {0};
    for (size_t i = 0; i < parts->count; i++) {
        struct range_note part = parts->parts[i];
        bool grows = part.range.end == old.end;
        part.range.start += new.start - old.start;
        part.range.end += new.start - old.start;
        part.placed = now;
        if (grows || part.range.end > new.end) {
            part.range.end = new.end;
        }
        if (part.range.start < part.range.end) {
            moved.parts[moved.count++] = part;
        }
    }
    struct probe_visit visit = probe_visit_begin();
    put_all(new, moved.parts, moved.count);
    probe_visit_end(visit);
}

/* ---- Segments of shmat ---- */

static void segment_put(const void *memory, size_t bytes)
{
    struct probe_visit visit = probe_visit_begin();
    probe_note_put(&segments,
                   (struct note_entry){.key = (uintptr_t)memory, .extra = bytes});
    probe_visit_end(visit);
}

void probe_segment_made(const void *memory, size_t bytes, const void *frame)
{
    probe_mapping_made(memory, bytes, frame);
    if (bytes > 0 && probe_resources_wanted()) {
        segment_put(memory, bytes);
    }
}

size_t probe_segment_take(const void *memory, struct mapping_parts *ret_parts)
{
    struct note_entry segment = {0};
    ret_parts->count = 0;
    if (!is_wanted()) {
        return 0;
    }
    struct probe_visit visit = probe_visit_begin();
    bool found = probe_note_take(&segments, (uintptr_t)memory, &segment);
    probe_visit_end(visit);
    if (found) {
        probe_mapping_take(memory, segment.extra, ret_parts);
    }
    return segment.extra;
}

void probe_segment_put_back(const void *memory, size_t bytes,
                            const struct mapping_parts *parts)
{
    if (bytes > 0) {
        segment_put(memory, bytes);
        probe_mapping_put_back(parts);
    }
}

/* ---- The list's side ---- */

void probe_mapping_at_start(struct range range)
{
    uint32_t now = probe_resource_now();
    struct range_note note = {range, {MAPPING_AT_START, now}, now};
    struct probe_visit visit = probe_visit_begin();
    probe_mapping_reserve();
    put_all(range, &note, 1);
    probe_visit_end(visit);
}

bool probe_mapping_find(uintptr_t address, struct range_note *ret_note)
{
    struct probe_visit visit = probe_visit_begin();
    bool taken = table_take();
    bool found = taken && probe_range_notes_find(&notes, address, ret_note);
    if (taken) {
        table_give();
    }
    probe_visit_end(visit);
    return found;
}

/* The lock is held. */
static void sweep(struct range range, uint32_t before)
{
    struct range_note note;
    uintptr_t at = range.start;
    while (at < range.end && probe_range_notes_find(&notes, at, &note) &&
           note.range.start < range.end) {
        at = note.range.end;
        if (note.placed < before) {
            struct range gone = {
                note.range.start > range.start ? note.range.start : range.start,
                note.range.end < range.end ? note.range.end : range.end};
            probe_range_notes_take(&notes, gone, NULL, 0);
        }
    }
}

void probe_mapping_sweep(struct range range, uint32_t before)
{
    struct probe_visit visit = probe_visit_begin();
    if (table_take()) {
        sweep(range, before);
        table_give();
    }
    probe_visit_end(visit);
}

uint64_t probe_mapping_missed(void)
{
    return atomic_load(&missed);
}

void probe_mapping_hold(void)
{
    probe_note_hold(&segments);
    probe_lock_take(&lock);
}

void probe_mapping_release(void)
{
    probe_lock_give(&lock);
    probe_note_release(&segments);
}
