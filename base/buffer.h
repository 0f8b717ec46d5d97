/*
 * A buffer is a run of bytes that grows as it is written to. Its memory comes straight
 * from the kernel (mmap), not from malloc: a profile of the heap must not hold its own
 * pages, and it must still be written when the heap has reached its ceiling.
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

/* Lives in memory that the caller owns; { 0 } is empty. The first failure is kept in
 * `error`, and every write after it does nothing: a writer checks once, at its end. */
struct buffer {
    char *data;    /* `length` bytes and a '\0' behind them; NULL before the first */
    size_t length; /* bytes written */
    size_t capacity;
    int error; /* 0, or -ENOMEM: what is in the buffer is then not whole */
};

/* Makes room for `bytes` more bytes. Returns where they go, or NULL: see `error`.
 * The pointer is good until the next write; buffer_extend says how many were used. */
char *buffer_reserve(struct buffer *buffer, size_t bytes);

/* Counts `bytes` bytes that were written behind the end. */
void buffer_extend(struct buffer *buffer, size_t bytes);

void buffer_append(struct buffer *buffer, const void *data, size_t bytes);

/* Appends a string, without its '\0'. */
void buffer_text(struct buffer *buffer, const char *text);

void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Empties the buffer, and keeps its memory for what comes next. */
void buffer_clear(struct buffer *buffer);

/* Gives the memory back and leaves the buffer empty; takes an empty one. */
void buffer_release(struct buffer *buffer);

#endif
