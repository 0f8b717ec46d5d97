#include "probe/reach/ranges.h"

#include <sys/mman.h>

#define FIRST_ROOM 4096

/* Makes room for twice as many. */
static bool grow(struct ranges *ranges)
{
    size_t room = ranges->room == 0 ? FIRST_ROOM : ranges->room * 2;
    struct range *larger = mmap(NULL, room * sizeof(*larger), PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (larger == MAP_FAILED) {
        return false;
    }
    if (ranges->data != NULL) {
        memcpy(larger, ranges->data, ranges->count * sizeof(*larger));
        munmap(ranges->data, ranges->room * sizeof(*larger));
    }
    ranges->data = larger;
    ranges->room = room;
    return true;
}

void probe_ranges_add(struct ranges *ranges, uintptr_t start, uintptr_t end)
{
    if (ranges->failed || start >= end) {
        return;
    }
    if (ranges->count == ranges->room && !grow(ranges)) {
        ranges->failed = true;
        return;
    }
    ranges->data[ranges->count++] = (struct range){start, end};
}

static void swap(struct range *one, struct range *other)
{
    struct range kept = *one;
    *one = *other;
    *other = kept;
}

static void sift(struct range *data, size_t at, size_t count)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && data[child + 1].start > data[child].start) {
            child++;
        }
        if (data[at].start >= data[child].start) {
            return;
        }
        swap(&data[at], &data[child]);
    }
}

/* A heap sort: the C library's qsort calls malloc. */
static void sort(struct range *data, size_t count)
{
    for (size_t i = count / 2; i-- > 0;) {
        sift(data, i, count);
    }
    for (size_t left = count; left-- > 1;) {
        swap(&data[0], &data[left]);
        sift(data, 0, left);
    }
}

void probe_ranges_sort(struct ranges *ranges)
{
    struct range *data = ranges->data;
    size_t kept = 0;
    sort(data, ranges->count);
    for (size_t i = 0; i < ranges->count; i++) {
        if (kept == 0 || data[i].start > data[kept - 1].end) {
            data[kept++] = data[i];
        } else if (data[i].end > data[kept - 1].end) {
            data[kept - 1].end = data[i].end;
        }
    }
    ranges->count = kept;
}

size_t probe_ranges_from(const struct range *ranges, size_t count, uintptr_t address)
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

void probe_ranges_release(struct ranges *ranges)
{
    if (ranges->data != NULL) {
        munmap(ranges->data, ranges->room * sizeof(*ranges->data));
    }
    *ranges = (struct ranges){0};
}

uintptr_t probe_range_clamp(struct range range, uintptr_t address)
{
    address = address < range.start ? range.start : address;
    return address > range.end ? range.end : address;
}
