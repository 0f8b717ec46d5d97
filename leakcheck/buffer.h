/*
 * A buffer is bytes that grow at the end: a reply as it arrives, a page as it is
 * written. Once an append has failed, the buffer stays failed, so that a long run of
 * appends needs one check at its end.
 */
#ifndef LEAKCHECK_BUFFER_H
#define LEAKCHECK_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

/* Lives in memory that the caller owns; { 0 } is empty. */
struct buffer {
    char *data; /* followed by a '\0' that `length` doesn't count; NULL while empty */
    size_t length;
    size_t capacity;
    bool failed; /* memory was short: the contents are not whole */
};

void buffer_append(struct buffer *buffer, const void *bytes, size_t count);
void buffer_text(struct buffer *buffer, const char *text);
void buffer_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Makes it empty, keeping its memory. */
void buffer_clear(struct buffer *buffer);

/* Gives its memory back and leaves it empty. */
void buffer_release(struct buffer *buffer);

#endif
