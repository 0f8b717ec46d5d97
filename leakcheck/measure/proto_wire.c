/*
 * A number is stored seven bits a byte, the lowest first; the last byte has its highest
 * bit clear.
 */
#include "leakcheck/measure/proto_wire.h"

enum wire_type {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_BYTES = 2,
    WIRE_FIXED32 = 5, /* 3 and 4 are groups, which nobody writes any more */
};

static bool varint_read(struct wire *message, uint64_t *ret_number)
{
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 64 && message->at < message->end; shift += 7) {
        unsigned char byte = (unsigned char)*message->at++;
        uint64_t bits = byte & 0x7fU;
        if (shift == 63 && bits > 1) {
            break;
        }
        number |= bits << shift;
        if (byte < 0x80) {
            *ret_number = number;
            return true;
        }
    }
    message->bad = true;
    return false;
}

/* Takes the next `length` bytes of the message. */
static bool bytes_take(struct wire *message, uint64_t length, struct wire *ret_bytes)
{
    if (length > (uint64_t)(message->end - message->at)) {
        message->bad = true;
        return false;
    }
    *ret_bytes = (struct wire){.at = message->at, .end = message->at + length};
    message->at += length;
    return true;
}

bool wire_next(struct wire *message, struct wire_field *ret_field)
{
    uint64_t tag;
    uint64_t length;
    if (message->bad || message->at == message->end || !varint_read(message, &tag)) {
        return false;
    }
    *ret_field = (struct wire_field){.field = tag >> 3};
    switch (tag & 7) {
    case WIRE_VARINT:
        ret_field->is_number = true;
        return varint_read(message, &ret_field->number);
    case WIRE_BYTES:
        return varint_read(message, &length) &&
               bytes_take(message, length, &ret_field->bytes);
    case WIRE_FIXED64:
        return bytes_take(message, 8, &ret_field->bytes);
    case WIRE_FIXED32:
        return bytes_take(message, 4, &ret_field->bytes);
    default:
        message->bad = true;
        return false;
    }
}

bool wire_number(struct wire_field *field, uint64_t *ret_number)
{
    if (field->is_number) {
        field->is_number = false; /* the only one; `bytes` is empty */
        *ret_number = field->number;
        return true;
    }
    return field->bytes.at < field->bytes.end && varint_read(&field->bytes, ret_number);
}
