/*
 * An array in the order of the addresses, in which no two ranges touch. The lock is
 * held for so short a time that a thread which cannot get it soon has itself taken it
 * (and is in a signal handler now), or is in the child of a fork during which it was
 * taken. The list may then be wrong, and is not used any more.
 */
#include "probe/reach/heap_mappings.h"

#include <stdatomic.h>
#include <string.h>

#include "probe/recorder/inside.h"
#include "probe/recorder/lock.h"

#define RANGES_MAX 4096

static struct probe_lock lock;
static struct range ranges[RANGES_MAX];
static size_t count;
static bool is_full;         /* a range has not been noted */
static atomic_bool is_wrong; /* the ranges may be anybody's */

/* No range was ever outside of these. */
static _Atomic uintptr_t lowest = UINTPTR_MAX;
static _Atomic uintptr_t highest;

static bool is_outside(uintptr_t start, uintptr_t end)
{
    return end <= atomic_load_explicit(&lowest, memory_order_relaxed) ||
           start >= atomic_load_explicit(&highest, memory_order_relaxed);
}

/* Whether the list may be used now. If so, it is given back by list_give. */
static bool list_take(void)
{
    if (atomic_load_explicit(&is_wrong, memory_order_relaxed)) {
        return false;
    }
    probe_changing++;
    if (!probe_lock_take_soon(&lock)) {
        atomic_store(&is_wrong, true);
        probe_changing--;
        return false;
    }
    return true;
}

static void list_give(void)
{
    probe_lock_give(&lock);
    probe_changing--;
}

/* The number of the first range that ends behind the address. */
static size_t range_behind(uintptr_t address)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ranges[middle].end <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void range_insert(size_t at, struct range range)
{
    if (count == RANGES_MAX) {
        is_full = true;
        return;
    }
    memmove(&ranges[at + 1], &ranges[at], (count - at) * sizeof(*ranges));
    ranges[at] = range;
    count++;
}

static void range_delete(size_t at)
{
    count--;
    memmove(&ranges[at], &ranges[at + 1], (count - at) * sizeof(*ranges));
}

static void take_away(uintptr_t start, uintptr_t end)
{
    size_t at = range_behind(start);
    while (at < count && ranges[at].start < end) {
        struct range *range = &ranges[at];
        if (range->start >= start && range->end <= end) {
            range_delete(at);
        } else if (range->start >= start) {
            range->start = end;
        } else {
            struct range upper = {end, range->end};
            range->end = start;
            at++;
            if (upper.start < upper.end) {
                range_insert(at, upper);
            }
        }
    }
}

/* Adds a range of which nothing is in the list; joins it with its neighbours. */
static void put(uintptr_t start, uintptr_t end)
{
    size_t at = range_behind(start);
    bool after = at > 0 && ranges[at - 1].end == start;
    bool before = at < count && ranges[at].start == end;
    if (after && before) {
        ranges[at - 1].end = ranges[at].end;
        range_delete(at);
    } else if (after) {
        ranges[at - 1].end = end;
    } else if (before) {
        ranges[at].start = start;
    } else {
        range_insert(at, (struct range){start, end});
    }
}

void probe_heap_mapping_add(uintptr_t start, uintptr_t end)
{
    if (start >= end || !list_take()) {
        return;
    }
    if (start < atomic_load(&lowest)) {
        atomic_store(&lowest, start);
    }
    if (end > atomic_load(&highest)) {
        atomic_store(&highest, end);
    }
    take_away(start, end);
    put(start, end);
    list_give();
}

void probe_heap_mapping_remove(uintptr_t start, uintptr_t end)
{
    if (start < end && !is_outside(start, end) && list_take()) {
        take_away(start, end);
        list_give();
    }
}

bool probe_heap_mapping_has(uintptr_t start, uintptr_t end)
{
    bool has = false;
    if (start < end && !is_outside(start, end) && list_take()) {
        size_t at = range_behind(start);
        has = at < count && ranges[at].start <= start && ranges[at].end >= end;
        list_give();
    }
    return has;
}

struct range probe_heap_mapping_behind(uintptr_t address)
{
    struct range behind = {0, 0};
    if (list_take()) {
        size_t at = range_behind(address);
        behind = at < count ? ranges[at] : behind;
        list_give();
    }
    return behind;
}

const struct range *probe_heap_mappings(size_t *ret_count, bool *ret_all)
{
    bool wrong = atomic_load(&is_wrong);
    *ret_count = wrong ? 0 : count;
    *ret_all = !wrong && !is_full;
    return ranges;
}
