/*
 * A slice is a view into an array that several slices may share, as in Go: the array
 * lives as long as one view into it does, however small that view is.
 */
#ifndef LAB_RUNTIME_SLICE_H
#define LAB_RUNTIME_SLICE_H

#include <stdatomic.h>
#include <stddef.h>

/* The array of the slices: a reference count and the bytes. The memory comes from the
 * caller's malloc(slice_array_bytes(n)) and belongs to the slices made from it. */
struct slice_array {
    atomic_size_t references;
    size_t bytes;
    unsigned char data[];
};

/* Passed by value; each value that slice_of or slice_sub returned is released once. */
struct slice {
    struct slice_array *array; /* NULL: the bytes are not shared and not owned */
    unsigned char *data;
    size_t length; /* bytes */
};

/* What to malloc for an array of `bytes` bytes. */
size_t slice_array_bytes(size_t bytes);

/* Makes the first view of a new array: all its `bytes` bytes, not initialised. The
 * array owns `memory` from now on; the last slice_release frees it with free(). */
struct slice slice_of(void *memory, size_t bytes);

/* A view of memory that the caller keeps alive (Go: a slice of a variable). */
struct slice slice_borrow(void *memory, size_t bytes);

/* A view of bytes [from, to) of `slice`, sharing its array: s[from:to]. The bounds are
 * asserted. The new view keeps the array alive until it is released. */
struct slice slice_sub(struct slice slice, size_t from, size_t to);

/* Copies as many bytes as both have room for, and returns how many: Go's copy(). */
size_t slice_copy(struct slice to, struct slice from);

/* Ends this view; the last view of an array frees it. Leaves *slice empty. */
void slice_release(struct slice *slice);

#endif
