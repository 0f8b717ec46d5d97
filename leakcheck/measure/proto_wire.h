/*
 * Reads the wire format of protocol buffers: a message is a list of fields, each with a
 * number and a value, which is a number or some bytes. Source:
 * protobuf.dev/programming-guides/encoding. The input is not trusted.
 */
#ifndef LEAKCHECK_MEASURE_PROTO_WIRE_H
#define LEAKCHECK_MEASURE_PROTO_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The rest of a message. `bad` is set by the first field that cannot be read; nothing
 * is read after it. */
struct wire {
    const char *at;
    const char *end;
    bool bad;
};

struct wire_field {
    uint64_t field;    /* the field's number */
    bool is_number;    /* `number` is valid; otherwise `bytes` */
    uint64_t number;   /* a signed number: as two's complement */
    struct wire bytes; /* a text, a message, or packed numbers */
};

/* Reads the next field; false at the end, or if it cannot be read. */
bool wire_next(struct wire *message, struct wire_field *ret_field);

/* Reads the next of the numbers in a repeated field, which come packed, all in `bytes`,
 * or one in each field. Returns false after the last. */
bool wire_number(struct wire_field *field, uint64_t *ret_number);

#endif
