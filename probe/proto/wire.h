/*
 * The encoding of protobuf messages. A message is a sequence of numbered fields in any
 * order. A buffer whose memory ran out stays marked as failed (see base/buffer.h), so
 * nothing here returns an error.
 *
 * Source: protobuf.dev, "Encoding".
 */
#ifndef PROBE_PROTO_WIRE_H
#define PROBE_PROTO_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

#define WIRE_VARINT_MAX 10 /* bytes of the longest number */

/* Writes a number, seven bits a byte, the lowest first. There must be room for
 * WIRE_VARINT_MAX bytes. Returns the address after the last byte. */
unsigned char *probe_wire_put(unsigned char *at, uint64_t value);

/* Appends a number. */
void probe_wire_varint(struct buffer *buffer, uint64_t value);

/* Appends a field that is a number; 0 is left out, because a missing field means 0. */
void probe_wire_number(struct buffer *buffer, unsigned field, uint64_t value);

/* Appends a field of bytes: a string, a message, packed numbers. */
void probe_wire_bytes(struct buffer *buffer, unsigned field, const void *data,
                      size_t bytes);

/* Appends `message` as a field, and empties it for the next. */
void probe_wire_message(struct buffer *buffer, unsigned field, struct buffer *message);

#endif
