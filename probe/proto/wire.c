/*
 * Numbers are varints (seven bits a byte); bytes, strings and messages begin with their
 * length.
 */
#include "probe/proto/wire.h"

unsigned char *probe_wire_put(unsigned char *at, uint64_t value)
{
    while (value > 0x7f) {
        *at++ = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    *at++ = (unsigned char)value;
    return at;
}

void probe_wire_varint(struct buffer *buffer, uint64_t value)
{
    char *start = buffer_reserve(buffer, WIRE_VARINT_MAX);
    if (start != NULL) {
        unsigned char *end = probe_wire_put((unsigned char *)start, value);
        buffer_extend(buffer, (size_t)(end - (unsigned char *)start));
    }
}

void probe_wire_number(struct buffer *buffer, unsigned field, uint64_t value)
{
    if (value != 0) { /* a missing field means 0 */
        probe_wire_varint(buffer, field << 3 | WIRE_VARINT);
        probe_wire_varint(buffer, value);
    }
}

void probe_wire_bytes(struct buffer *buffer, unsigned field, const void *data,
                      size_t bytes)
{
    probe_wire_varint(buffer, field << 3 | WIRE_BYTES);
    probe_wire_varint(buffer, bytes);
    buffer_append(buffer, data, bytes);
}

void probe_wire_message(struct buffer *buffer, unsigned field, struct buffer *message)
{
    if (message->error != 0) {
        buffer->error = message->error;
        return;
    }
    probe_wire_bytes(buffer, field, message->data, message->length);
    buffer_clear(message);
}
