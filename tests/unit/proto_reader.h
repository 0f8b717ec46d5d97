/*
 * Reads profile.proto in tests. Written from the format's description
 * (github.com/google/pprof, proto/profile.proto); it shares no code with the writer.
 */
#ifndef LAB_TESTS_PROTO_READER_H
#define LAB_TESTS_PROTO_READER_H

#include <string.h>

#include "base/buffer.h"
#include "unit.h"

struct proto {
    const unsigned char *at;
    const unsigned char *end;
};

struct proto_field {
    unsigned number;
    uint64_t value;     /* the value of a number field */
    struct proto bytes; /* the value of other fields */
};

static inline struct proto proto_of(const struct buffer *buffer)
{
    const unsigned char *start = (const unsigned char *)buffer->data;
    return (struct proto){start, start + buffer->length};
}

static inline uint64_t proto_varint(struct proto *proto)
{
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        assert_true(shift < 64);
        assert_true(proto->at < proto->end);
        unsigned char byte = *proto->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            return value;
        }
    }
}

/* Goes to the next field; false at the end. Fails the test on bad encoding. */
static inline bool proto_next(struct proto *proto, struct proto_field *field)
{
    if (proto->at == proto->end) {
        return false;
    }
    uint64_t tag = proto_varint(proto);
    field->number = (unsigned)(tag >> 3);
    if ((tag & 7) == 0) {
        field->value = proto_varint(proto);
        return true;
    }
    assert_int_equal(tag & 7, 2);
    uint64_t bytes = proto_varint(proto);
    assert_true(bytes <= (uint64_t)(proto->end - proto->at));
    field->bytes = (struct proto){proto->at, proto->at + bytes};
    proto->at += bytes;
    return true;
}

/* The value of the number field `field`; 0 if it is missing. */
static inline uint64_t proto_number(struct proto message, unsigned field)
{
    struct proto_field found;
    uint64_t value = 0;
    while (proto_next(&message, &found)) {
        value = found.number == field ? found.value : value;
    }
    return value;
}

/* The message number `which`, from 0, among those in `field`. */
static inline bool proto_message(struct proto whole, unsigned field, size_t which,
                                 struct proto *ret_message)
{
    struct proto_field found;
    while (proto_next(&whole, &found)) {
        if (found.number == field && which-- == 0) {
            *ret_message = found.bytes;
            return true;
        }
    }
    return false;
}

static inline size_t proto_count(struct proto whole, unsigned field)
{
    struct proto message;
    size_t count = 0;
    while (proto_message(whole, field, count, &message)) {
        count++;
    }
    return count;
}

/* A profile's string; the test fails if the index is out of range. */
static inline const char *profile_string(struct proto profile, uint64_t index)
{
    static char texts[8][256];
    static unsigned next;
    struct proto bytes;
    assert_true(proto_message(profile, 6, index, &bytes));
    char *text = texts[next++ % 8];
    size_t length = (size_t)(bytes.end - bytes.at);
    assert_true(length < sizeof(texts[0]));
    memcpy(text, bytes.at, length);
    text[length] = '\0';
    return text;
}

/* The message in `field` whose own id (field 1) is `id`; the test fails if none is. */
static inline struct proto profile_by_id(struct proto profile, unsigned field,
                                         uint64_t id)
{
    struct proto message = {0};
    size_t which = 0;
    while (proto_message(profile, field, which++, &message)) {
        if (proto_number(message, 1) == id) {
            return message;
        }
    }
    fail_msg("no message %u with id %llu", field, (unsigned long long)id);
    return message;
}

/* The function, file and line of a location. */
struct profile_place {
    const char *function;
    const char *file;
    uint64_t line;
};

static inline struct profile_place profile_place(struct proto profile, uint64_t id)
{
    struct proto location = profile_by_id(profile, 4, id);
    struct proto line;
    assert_true(proto_message(location, 4, 0, &line));
    struct proto function = profile_by_id(profile, 5, proto_number(line, 1));
    return (struct profile_place){
        .function = profile_string(profile, proto_number(function, 2)),
        .file = profile_string(profile, proto_number(function, 4)),
        .line = proto_number(line, 2),
    };
}

#define PROFILE_DEPTH_MAX 128

struct profile_sample {
    size_t depth;
    uint64_t locations[PROFILE_DEPTH_MAX];
    size_t values_count;
    int64_t values[8];
};

/* The sample number `which`, from 0; false after the last. */
static inline bool profile_sample(struct proto profile, size_t which,
                                  struct profile_sample *ret_sample)
{
    struct proto message;
    struct proto ids = {0};
    struct proto values = {0};
    if (!proto_message(profile, 2, which, &message)) {
        return false;
    }
    proto_message(message, 1, 0, &ids);
    proto_message(message, 2, 0, &values);
    *ret_sample = (struct profile_sample){0};
    while (ids.at < ids.end) {
        assert_true(ret_sample->depth < PROFILE_DEPTH_MAX);
        ret_sample->locations[ret_sample->depth++] = proto_varint(&ids);
    }
    while (values.at < values.end) {
        assert_true(ret_sample->values_count < 8);
        ret_sample->values[ret_sample->values_count++] = (int64_t)proto_varint(&values);
    }
    return true;
}

/* The sample whose frame `frame` (0: the leaf) is in that function. */
static inline bool profile_sample_in(struct proto profile, size_t frame,
                                     const char *function,
                                     struct profile_sample *ret_sample)
{
    for (size_t i = 0; profile_sample(profile, i, ret_sample); i++) {
        if (frame < ret_sample->depth &&
            strcmp(profile_place(profile, ret_sample->locations[frame]).function,
                   function) == 0) {
            return true;
        }
    }
    return false;
}

/* The sum of each value over all samples. */
static inline void profile_totals(struct proto profile, int64_t totals[8])
{
    struct profile_sample sample;
    memset(totals, 0, 8 * sizeof(totals[0]));
    for (size_t i = 0; profile_sample(profile, i, &sample); i++) {
        for (size_t j = 0; j < sample.values_count; j++) {
            totals[j] += sample.values[j];
        }
    }
}

#endif
