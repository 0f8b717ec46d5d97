/*
 * Each slice holds one reference to its array. The release of the last one frees it.
 */
#include "runtime/slice.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

size_t slice_array_bytes(size_t bytes)
{
    /* A size that cannot be expressed must fail in malloc, not wrap to a small one. */
    if (bytes > SIZE_MAX - sizeof(struct slice_array)) {
        return SIZE_MAX;
    }
    return sizeof(struct slice_array) + bytes;
}

struct slice slice_of(void *memory, size_t bytes)
{
    assert(memory != NULL);
    struct slice_array *array = memory;
    atomic_init(&array->references, 1);
    array->bytes = bytes;
    return (struct slice){.array = array, .data = array->data, .length = bytes};
}

struct slice slice_borrow(void *memory, size_t bytes)
{
    assert(memory != NULL || bytes == 0);
    return (struct slice){.array = NULL, .data = memory, .length = bytes};
}

struct slice slice_sub(struct slice slice, size_t from, size_t to)
{
    assert(from <= to && to <= slice.length);
    if (slice.array != NULL) {
        atomic_fetch_add(&slice.array->references, 1);
    }
    /* An empty slice may have no bytes at all, and NULL takes no offset, not even 0. */
    unsigned char *data = from == 0 ? slice.data : slice.data + from;
    return (struct slice){.array = slice.array, .data = data, .length = to - from};
}

size_t slice_copy(struct slice to, struct slice from)
{
    size_t bytes = to.length < from.length ? to.length : from.length;
    if (bytes > 0) {
        /* Both may be views of the same array, so the bytes may overlap. */
        memmove(to.data, from.data, bytes);
    }
    return bytes;
}

void slice_release(struct slice *slice)
{
    struct slice_array *array = slice->array;
    *slice = (struct slice){0};
    if (array == NULL) {
        return;
    }
    size_t before = atomic_fetch_sub(&array->references, 1);
    assert(before > 0);
    if (before == 1) {
        free(array);
    }
}
