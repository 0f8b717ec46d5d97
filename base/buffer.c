/*
 * A buffer grows by copying to a new mapping. mremap would avoid the copy, but
 * ThreadSanitizer does not know it and reports races on the new address.
 */
#include "base/buffer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/size.h"

#define BUFFER_FIRST_BYTES ((size_t)(16 * KIB))

/* Grows to at least `capacity` bytes. Returns 0 or -ENOMEM. */
static int buffer_grow(struct buffer *buffer, size_t capacity)
{
    size_t larger = buffer->capacity == 0 ? BUFFER_FIRST_BYTES : buffer->capacity;
    while (larger < capacity) {
        if (larger > SIZE_MAX / 2) {
            return -ENOMEM;
        }
        larger *= 2;
    }
    void *data =
        mmap(NULL, larger, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) {
        return -ENOMEM;
    }
    if (buffer->data != NULL) {
        memcpy(data, buffer->data, buffer->length);
        munmap(buffer->data, buffer->capacity);
    }
    buffer->data = data;
    buffer->capacity = larger;
    return 0;
}

char *buffer_reserve(struct buffer *buffer, size_t bytes)
{
    if (buffer->error != 0) {
        return NULL;
    }
    if (bytes >= SIZE_MAX - buffer->length) {
        buffer->error = -ENOMEM;
        return NULL;
    }
    /* One byte more than requested, for the '\0' after the end. */
    size_t needed = buffer->length + bytes + 1;
    if (needed > buffer->capacity && buffer_grow(buffer, needed) != 0) {
        buffer->error = -ENOMEM;
        return NULL;
    }
    return buffer->data + buffer->length;
}

void buffer_extend(struct buffer *buffer, size_t bytes)
{
    buffer->length += bytes;
    buffer->data[buffer->length] = '\0';
}

void buffer_append(struct buffer *buffer, const void *data, size_t bytes)
{
    char *end = buffer_reserve(buffer, bytes);
    if (end != NULL && bytes > 0) {
        memcpy(end, data, bytes);
        buffer_extend(buffer, bytes);
    }
}

void buffer_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_html_length(struct buffer *buffer, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        switch (text[i]) {
        case '&':
            buffer_text(buffer, "&amp;");
            break;
        case '<':
            buffer_text(buffer, "&lt;");
            break;
        case '>':
            buffer_text(buffer, "&gt;");
            break;
        case '"':
            buffer_text(buffer, "&quot;");
            break;
        case '\'':
            buffer_text(buffer, "&#39;");
            break;
        default:
            /* No control characters except newline and tab. */
            if ((unsigned char)text[i] >= ' ' || text[i] == '\n' || text[i] == '\t') {
                buffer_append(buffer, &text[i], 1);
            } else {
                buffer_text(buffer, "?");
            }
        }
    }
}

void buffer_html(struct buffer *buffer, const char *text)
{
    buffer_html_length(buffer, text, strlen(text));
}

void buffer_number(struct buffer *buffer, uint64_t number)
{
    char digits[20]; /* as many as UINT64_MAX has */
    char *first = digits + sizeof(digits);
    do {
        *--first = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    buffer_append(buffer, first, (size_t)(digits + sizeof(digits) - first));
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    /* Most lines fit. If not, the second pass reserves the length that the first one
     * found. */
    size_t room = 256;
    for (;;) {
        char *end = buffer_reserve(buffer, room);
        if (end == NULL) {
            return;
        }
        va_list arguments;
        va_start(arguments, format);
        int length = vsnprintf(end, room, format, arguments);
        va_end(arguments);
        if (length < 0) {
            buffer->error = -EINVAL;
            return;
        }
        if ((size_t)length < room) {
            buffer_extend(buffer, (size_t)length);
            return;
        }
        room = (size_t)length + 1;
    }
}

void buffer_clear(struct buffer *buffer)
{
    buffer->length = 0;
    buffer->error = 0;
    if (buffer->data != NULL) {
        buffer->data[0] = '\0';
    }
}

void buffer_release(struct buffer *buffer)
{
    if (buffer->data != NULL) {
        munmap(buffer->data, buffer->capacity);
    }
    *buffer = (struct buffer){0};
}
