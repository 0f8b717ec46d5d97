/*
 * The result grows as it is written, so a few bytes that claim to be many cost nothing
 * until they really are many.
 */
#include "leakcheck/measure/gunzip.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/size.h"

#define FIRST_BYTES (64 * KIB)
#define WINDOW_GZIP (15 + 16) /* zlib: the largest window, and gzip's header */

struct output {
    char *bytes;
    size_t length;
    size_t capacity;
    size_t most;
};

bool is_gzip(const char *bytes, size_t length)
{
    return length >= 2 && bytes[0] == '\x1f' && bytes[1] == '\x8b';
}

/* Doubles the room, up to one byte more than is allowed: a result of that length is too
 * long. Returns 0, -E2BIG or -ENOMEM. */
static int output_grow(struct output *output)
{
    if (output->length < output->capacity) {
        return 0;
    }
    if (output->capacity > output->most) {
        return -E2BIG;
    }
    size_t larger = output->capacity == 0 ? FIRST_BYTES : 2 * output->capacity;
    larger = larger > output->most ? output->most + 1 : larger;
    char *grown = realloc(output->bytes, larger);
    if (grown == NULL) {
        return -ENOMEM;
    }
    output->bytes = grown;
    output->capacity = larger;
    return 0;
}

/* Unpacks one or more members, one after the other. Returns 0, -EPROTO, -E2BIG or
 * -ENOMEM. */
static int members_unpack(z_stream *stream, struct output *output)
{
    for (;;) {
        int error = output_grow(output);
        if (error < 0) {
            return error;
        }
        size_t room = output->capacity - output->length;
        stream->next_out = (Bytef *)output->bytes + output->length;
        stream->avail_out = (uInt)room;
        int result = inflate(stream, Z_NO_FLUSH);
        output->length += room - stream->avail_out;
        if (result == Z_STREAM_END && stream->avail_in == 0) {
            return 0;
        }
        if (result == Z_STREAM_END) {
            result = inflateReset(stream);
        }
        if (result == Z_MEM_ERROR) {
            return -ENOMEM;
        }
        /* Z_BUF_ERROR: there is no more input, and this was not its end. */
        if (result != Z_OK) {
            return -EPROTO;
        }
    }
}

static int gunzip_refuse(int error, size_t most, struct failure *failure)
{
    switch (error) {
    case -ENOMEM:
        return failure_set(failure, ENOMEM, "out of memory");
    case -E2BIG:
        return failure_set(failure, EPROTO,
                           "the profile is too long: over %zu MiB when unpacked",
                           most / MIB);
    default:
        return failure_set(failure, EPROTO,
                           "the profile cannot be unpacked: its gzip data is damaged, "
                           "or was cut short");
    }
}

int gunzip(const char *bytes, size_t length, size_t most, char **ret_bytes,
           size_t *ret_length, struct failure *failure)
{
    z_stream stream = {0};
    struct output output = {.most = most};
    if (length > UINT32_MAX || most >= UINT32_MAX) {
        return gunzip_refuse(-E2BIG, most, failure);
    }
    /* zlib's type is not const, but inflate only reads. */
    stream.next_in = (Bytef *)(uintptr_t)bytes;
    stream.avail_in = (uInt)length;
    if (inflateInit2(&stream, WINDOW_GZIP) != Z_OK) {
        return gunzip_refuse(-ENOMEM, most, failure);
    }
    int error = members_unpack(&stream, &output);
    inflateEnd(&stream);
    if (error == 0 && output.length > most) {
        error = -E2BIG;
    }
    if (error < 0) {
        free(output.bytes);
        return gunzip_refuse(error, most, failure);
    }
    *ret_bytes = output.bytes;
    *ret_length = output.length;
    return 0;
}
