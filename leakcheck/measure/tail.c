/*
 * The bytes are kept in order; to make room, the rest moves to the front.
 */
#include "leakcheck/measure/tail.h"

#include <string.h>

void tail_add(struct tail *tail, const char *data, size_t length)
{
    if (length > TAIL_BYTES) {
        data += length - TAIL_BYTES;
        length = TAIL_BYTES;
    }
    size_t kept = tail->length;
    if (kept > TAIL_BYTES - length) {
        kept = TAIL_BYTES - length;
        memmove(tail->bytes, tail->bytes + tail->length - kept, kept);
    }
    memcpy(tail->bytes + kept, data, length);
    tail->length = kept + length;
}

/* Copies one line, as far as it is shown. */
static void line_copy(char *target, const char *text, size_t length)
{
    length = length > TAIL_WIDTH ? TAIL_WIDTH : length;
    for (size_t i = 0; i < length; i++) {
        char c = text[i] == '\t' ? ' ' : text[i];
        target[i] = '?';
        if (c >= ' ' && c <= '~') {
            target[i] = c;
        }
    }
    target[length] = '\0';
}

/* The start of the line that ends before `end`. */
static size_t line_start(const char *bytes, size_t end)
{
    while (end > 0 && bytes[end - 1] != '\n') {
        end--;
    }
    return end;
}

static size_t line_length(const char *bytes, size_t start, size_t end)
{
    return end > start && bytes[end - 1] == '\r' ? end - start - 1 : end - start;
}

void tail_split(const struct tail *tail, struct tail_lines *ret_lines)
{
    size_t starts[TAIL_LINES];
    size_t lengths[TAIL_LINES];
    size_t count = 0;
    size_t end = tail->length;
    while (end > 0 && count < TAIL_LINES) {
        size_t start = line_start(tail->bytes, end);
        size_t length = line_length(tail->bytes, start, end);
        if (length > 0) {
            starts[count] = start;
            lengths[count] = length;
            count++;
        }
        end = start == 0 ? 0 : start - 1;
    }
    ret_lines->count = count;
    for (size_t i = 0; i < count; i++) {
        size_t from = count - 1 - i; /* the last line was found first */
        line_copy(ret_lines->at[i], tail->bytes + starts[from], lengths[from]);
    }
}
