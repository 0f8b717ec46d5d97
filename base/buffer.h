/*
 * A buffer is a sequence of bytes that grows as it is written to. Its memory comes from
 * mmap, not from malloc. So a heap profile does not contain the memory of its own text,
 * and it can still be written when the heap has reached its ceiling.
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Lives in memory that the caller owns; { 0 } is empty. After the first failure, which
 * is kept in `error`, all writes do nothing. So a writer checks `error` once, at the
 * end. */
struct buffer {
    char *data;    /* `length` bytes, then a '\0'; NULL before the first write */
    size_t length; /* bytes written */
    size_t capacity;
    int error; /* 0; or -ENOMEM or -EINVAL: the contents are then not complete */
};

/* Makes room for `bytes` more bytes. Returns the address to write them to, or NULL with
 * `error` set. The address is valid until the next write. Call buffer_extend
 * afterwards. */
char *buffer_reserve(struct buffer *buffer, size_t bytes);

/* Adds `bytes` bytes, which were written after buffer_reserve, to the length. */
void buffer_extend(struct buffer *buffer, size_t bytes);

/* Appends a copy of `bytes` bytes. */
void buffer_append(struct buffer *buffer, const void *data, size_t bytes);

/* Appends a string, without its '\0'. */
void buffer_text(struct buffer *buffer, const char *text);

/* Appends plain text to a page, for an element or for the value of an attribute in
 * quotes: every character that has a meaning in HTML is escaped, and a control
 * character other than newline and tab becomes a '?'. */
void buffer_html(struct buffer *buffer, const char *text);
void buffer_html_length(struct buffer *buffer, const char *text, size_t length);

/* Appends a number in decimal digits: much faster than buffer_printf. */
void buffer_number(struct buffer *buffer, uint64_t number);

/* Appends formatted text, like printf, without its '\0'. */
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Empties the buffer and clears `error`; the memory is kept for further writes. */
void buffer_clear(struct buffer *buffer);

/* Frees the memory and leaves the buffer empty. May be called on an empty buffer. */
void buffer_release(struct buffer *buffer);

#endif
