/*
 * Writes fields of profile.proto, as protocol buffers encode them: for tests of what
 * reads it.
 */
#ifndef LAB_TESTS_PROTO_WRITER_H
#define LAB_TESTS_PROTO_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

static inline void proto_varint(struct buffer *to, uint64_t number)
{
    do {
        char byte = (char)((number & 0x7f) | (number > 0x7f ? 0x80 : 0));
        buffer_append(to, &byte, 1);
        number >>= 7;
    } while (number > 0);
}

static inline void proto_number(struct buffer *to, unsigned field, uint64_t number)
{
    proto_varint(to, field << 3);
    proto_varint(to, number);
}

static inline void proto_bytes(struct buffer *to, unsigned field, const void *bytes,
                               size_t length)
{
    proto_varint(to, field << 3 | 2);
    proto_varint(to, length);
    buffer_append(to, bytes, length);
}

#endif
