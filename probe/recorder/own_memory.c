#include "probe/recorder/own_memory.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "probe/recorder/inside.h"
#include "probe/recorder/lock.h"
#include "probe/recorder/visit.h"

#define FIRST_RANGES 512

static _Atomic size_t taken;

/* The list of what is taken; the lock protects it. */
static struct probe_lock lock;
static struct range *ranges;
static size_t count;
static size_t room;

static void *memory_map(size_t bytes)
{
    void *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* Makes room for one more range, maybe this list's own. Returns whether there is. */
static bool list_grow(void)
{
    if (count + 1 < room) {
        return true;
    }
    size_t wanted = room == 0 ? FIRST_RANGES : room * 2;
    struct range *larger = memory_map(wanted * sizeof(*larger));
    if (larger == NULL) {
        return false;
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].start != (uintptr_t)ranges) {
            larger[kept++] = ranges[i];
        }
    }
    larger[kept++] = (struct range){(uintptr_t)larger, (uintptr_t)(larger + wanted)};
    if (ranges != NULL) {
        munmap(ranges, room * sizeof(*ranges));
    }
    ranges = larger;
    count = kept;
    room = wanted;
    return true;
}

bool probe_own_memory_note(const void *memory, size_t bytes)
{
    uintptr_t start = (uintptr_t)memory;
    struct probe_visit visit = probe_visit_begin();
    probe_changing++;
    bool locked = probe_lock_take_patiently(&lock);
    bool noted = locked && list_grow();
    if (noted) {
        ranges[count++] = (struct range){start, start + bytes};
    }
    if (locked) {
        probe_lock_give(&lock);
    }
    probe_changing--;
    probe_visit_end(visit);
    return noted;
}

bool probe_own_memory_forget(const void *memory)
{
    struct probe_visit visit = probe_visit_begin();
    probe_changing++;
    bool locked = probe_lock_take_patiently(&lock);
    for (size_t i = 0; locked && i < count; i++) {
        if (ranges[i].start == (uintptr_t)memory) {
            ranges[i] = ranges[--count];
            break;
        }
    }
    if (locked) {
        probe_lock_give(&lock);
    }
    probe_changing--;
    probe_visit_end(visit);
    return locked;
}

void *probe_own_memory_take(size_t bytes)
{
    void *memory = memory_map(bytes);
    if (memory != NULL && !probe_own_memory_note(memory, bytes)) {
        munmap(memory, bytes);
        return NULL;
    }
    if (memory != NULL) {
        atomic_fetch_add_explicit(&taken, bytes, memory_order_relaxed);
    }
    return memory;
}

void probe_own_memory_give(void *memory, size_t bytes)
{
    /* In this order: another thread may get the addresses at once. */
    if (memory != NULL && probe_own_memory_forget(memory)) {
        munmap(memory, bytes);
        atomic_fetch_sub_explicit(&taken, bytes, memory_order_relaxed);
    }
}

size_t probe_own_memory_bytes(void)
{
    return atomic_load_explicit(&taken, memory_order_relaxed);
}

const struct range *probe_own_memory_ranges(size_t *ret_count)
{
    *ret_count = count;
    return ranges;
}

size_t probe_own_memory_copy(struct range *ret_ranges, size_t size)
{
    probe_changing++;
    probe_lock_take(&lock);
    size_t all = count;
    if (all > 0 && size > 0) {
        memcpy(ret_ranges, ranges, (all < size ? all : size) * sizeof(*ranges));
    }
    probe_lock_give(&lock);
    probe_changing--;
    return all;
}

void probe_own_memory_hold(void)
{
    probe_lock_take(&lock);
}

void probe_own_memory_release(void)
{
    probe_lock_give(&lock);
}
