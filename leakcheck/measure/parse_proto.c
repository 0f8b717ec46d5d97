/*
 * Parses profile.proto: the values are found by the names of their types, and each
 * sample becomes a record.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/amount.h"
#include "base/size.h"
#include "leakcheck/measure/gunzip.h"
#include "leakcheck/measure/profile_parse.h"
#include "leakcheck/measure/profile_text.h"
#include "leakcheck/measure/proto_mappings.h"
#include "leakcheck/measure/proto_values.h"

#define UNPACKED_MAX (64 * MIB)
#define USUAL_PERIOD ((int64_t)524288) /* where a profile does not say its own */

struct proto_reader {
    struct profile_reader text; /* the profile so far */
    struct proto_tables tables;
    struct proto_values values;
    struct failure *failure; /* set if an error needs its own words */
};

/* Whether the first bytes are a tag of the message Profile, and then a byte that no
 * text has. */
static bool is_plain_proto(const char *bytes, size_t length)
{
    unsigned char tag = (unsigned char)bytes[0];
    unsigned type = tag & 7;
    if ((type != 0 && type != 2) || tag >> 3 < 1 || tag >> 3 > 15) {
        return false;
    }
    for (size_t i = 0; i < length && i < 16; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte < ' ' && byte != '\t' && byte != '\n' && byte != '\r') {
            return true;
        }
    }
    return false;
}

bool profile_is_proto(const char *bytes, size_t length)
{
    return is_gzip(bytes, length) || (length > 0 && is_plain_proto(bytes, length));
}

/* Room for the places of the deepest stack so far. */
struct stack {
    const struct proto_place **places;
    size_t depth;
    size_t capacity;
};

static int stack_push(struct stack *stack, const struct proto_place *place)
{
    if (place == NULL) {
        return -EPROTO;
    }
    if (stack->depth == PROFILE_FRAMES_MAX) {
        return -E2BIG;
    }
    if (stack->depth == stack->capacity) {
        size_t capacity = stack->capacity == 0 ? 64 : 2 * stack->capacity;
        void *grown = reallocarray(stack->places, capacity, sizeof(*stack->places));
        if (grown == NULL) {
            return -ENOMEM;
        }
        stack->places = grown;
        stack->capacity = capacity;
    }
    stack->places[stack->depth++] = place;
    return 0;
}

/* Adds the record of a stack. Where a reason is given, it is part of the stack: as the
 * outermost address, which no code has. So equal stacks with different reasons are not
 * one record. */
static int stack_add(struct proto_reader *reader, const struct stack *stack,
                     const char *reason, const struct amounts *amounts)
{
    struct profile *profile = &reader->text.profile;
    size_t depth = stack->depth;
    struct record record = {
        .amounts = *amounts, .depth = depth + (reason != NULL), .reason = reason};
    bool named = false;
    for (size_t i = 0; i < depth; i++) {
        record.frame_count += stack->places[i]->frame_count;
        named = named || stack->places[i]->named;
    }
    record.frame_count = named ? record.frame_count : 0;
    reader->text.address_count += record.depth;
    reader->text.frame_count += record.frame_count;
    if (reader->text.address_count > PROFILE_FRAMES_MAX ||
        reader->text.frame_count > PROFILE_FRAMES_MAX) {
        return -E2BIG;
    }
    record.addresses = arena_alloc(&profile->arena, sizeof(uint64_t) * (depth + 2));
    record.frames =
        arena_alloc(&profile->arena, sizeof(struct frame) * (record.frame_count + 1));
    if (record.addresses == NULL || record.frames == NULL) {
        return -ENOMEM;
    }
    struct frame *frame = record.frames;
    for (size_t i = 0; i < depth; i++) {
        const struct proto_place *place = stack->places[i];
        record.addresses[i] = place->key;
        if (named) {
            memcpy(frame, place->frames, sizeof(*frame) * place->frame_count);
            frame += place->frame_count;
        }
    }
    record.addresses[depth] = reason == NULL ? 0 : proto_text_key(reason);
    profile->records[profile->count++] = record;
    amounts_add(&profile->totals, amounts);
    return 0;
}

/* What the labels of a sample say. */
struct labels {
    bool indirect;      /* blocks that are lost through another lost one */
    const char *reason; /* why threads never go on; NULL: not said */
};

static int label_read(struct proto_reader *reader, struct wire message,
                      struct labels *labels)
{
    enum { KEY = 1, TEXT = 2 };
    struct arena *arena = &reader->text.profile.arena;
    struct wire_field field;
    const char *key = "";
    const char *text = "";
    int error = 0;
    while (error == 0 && wire_next(&message, &field)) {
        if (field.field == KEY || field.field == TEXT) {
            error = proto_text(&reader->tables, arena, field.number,
                               field.field == KEY ? &key : &text);
        }
    }
    labels->indirect = labels->indirect || strcmp(key, "indirect") == 0;
    labels->reason = strcmp(key, "reason") == 0 ? text : labels->reason;
    return error == 0 && message.bad ? -EPROTO : error;
}

/* Whether anything depends on the labels of the samples: there may be many. */
static bool has_labels(const struct proto_reader *reader)
{
    return reader->text.profile.has_lost || reader->values.subject == PROTO_COUNTS;
}

static int sample_read(struct proto_reader *reader, struct wire message,
                       struct stack *stack)
{
    enum { LOCATIONS = 1, VALUES = 2, LABEL = 3 };
    int64_t values[PROTO_VALUES_MAX];
    size_t count = 0;
    struct wire_field field;
    struct amounts amounts;
    struct labels labels = {0};
    int error = 0;
    stack->depth = 0;
    while (error == 0 && wire_next(&message, &field)) {
        if (field.field == LABEL && has_labels(reader)) {
            error = label_read(reader, field.bytes, &labels);
            continue;
        }
        uint64_t number;
        while (error == 0 && (field.field == LOCATIONS || field.field == VALUES) &&
               wire_number(&field, &number)) {
            if (field.field == LOCATIONS) {
                error = stack_push(stack, proto_place(&reader->tables, number));
            } else if (count < PROTO_VALUES_MAX) {
                values[count++] = (int64_t)number;
            }
        }
        error = error == 0 && field.bytes.bad ? -EPROTO : error;
    }
    error = error == 0 && message.bad ? -EPROTO : error;
    if (error == 0) {
        error = proto_values_take(&reader->values, values, count, &amounts,
                                  reader->failure);
    }
    if (error == 0 && !labels.indirect) {
        amounts.direct_objects = amounts.lost_objects;
        amounts.direct_bytes = amounts.lost_bytes;
    }
    return error == 0 ? stack_add(reader, stack, labels.reason, &amounts) : error;
}

static int samples_read(struct proto_reader *reader, struct wire whole)
{
    struct profile *profile = &reader->text.profile;
    struct wire counted = whole;
    struct wire_field field;
    size_t samples = 0;
    while (wire_next(&counted, &field)) {
        samples += field.field == PROTO_SAMPLE;
    }
    if (samples > PROFILE_RECORDS_MAX) {
        return -E2BIG;
    }
    profile->records = calloc(samples + 1, sizeof(*profile->records));
    struct stack stack = {0};
    int error = profile->records == NULL ? -ENOMEM : 0;
    while (error == 0 && wire_next(&whole, &field)) {
        if (field.field == PROTO_SAMPLE) {
            error = sample_read(reader, field.bytes, &stack);
        }
    }
    free(stack.places);
    return error;
}

/* Sets the format. The period counts only if it is one of bytes. Where it is not said,
 * the profile is taken for one with the samplers' usual period: every one of them
 * (Go's, tcmalloc's, jemalloc's, V8's) takes a sample in 512 KiB. */
static int format_set(struct proto_reader *reader)
{
    struct profile *profile = &reader->text.profile;
    const int *column = reader->values.column;
    bool heap = reader->values.subject == PROTO_HEAP;
    const char *name;
    const char *unit;
    int error = proto_type_read(&reader->tables, &profile->arena,
                                reader->tables.period_type, &name, &unit);
    int64_t period = reader->tables.period;
    if (strcmp(unit, "bytes") != 0 || period < 1 || period > PROTO_VALUE_MAX) {
        period = USUAL_PERIOD;
    }
    profile->format = !heap         ? PROFILE_THREADS
                      : period == 1 ? PROFILE_EXACT
                                    : PROFILE_SAMPLED_PROTO;
    profile->period = heap ? period : 1;
    profile->is_go = reader->tables.is_go;
    profile->has_lost =
        heap && column[PROTO_LOST_BYTES] >= 0 && column[PROTO_LOST_OBJECTS] >= 0;
    return error;
}

/* Keeps the first comment. */
static int comment_read(struct proto_reader *reader, struct wire whole)
{
    enum { COMMENT = 13 };
    struct profile *profile = &reader->text.profile;
    struct wire_field field;
    uint64_t number;
    profile->comment = "";
    while (wire_next(&whole, &field)) {
        if (field.field == COMMENT && wire_number(&field, &number)) {
            return proto_text(&reader->tables, &profile->arena, number,
                              &profile->comment);
        }
    }
    return 0;
}

static int proto_read(struct proto_reader *reader, struct wire whole)
{
    struct arena *arena = &reader->text.profile.arena;
    int error = proto_tables_read(&reader->tables, whole, arena);
    error = error == 0 ? proto_values_find(&reader->values, &reader->tables, arena,
                                           reader->failure)
                       : error;
    error = error == 0 ? format_set(reader) : error;
    error = error == 0 ? comment_read(reader, whole) : error;
    error = error == 0 ? proto_mappings_read(&reader->text.profile, &reader->tables)
                       : error;
    return error == 0 ? samples_read(reader, whole) : error;
}

/* Says why; an error that has its own words keeps them. */
static int proto_refuse(const struct proto_reader *reader, int error)
{
    struct failure *failure = reader->failure;
    if (error == -EPROTO && failure->text[0] == '\0') {
        return failure_set(failure, EPROTO,
                           "the %s profile (profile.proto) cannot be read: it is no "
                           "profile, is damaged, or was cut short",
                           reader->text.kind);
    }
    return error == -EPROTO ? error : reader_refuse(&reader->text, error, failure);
}

/* Parses the bytes for the subject that the reader is made for. */
static int proto_parse(struct proto_reader *reader, const char *bytes, size_t length,
                       struct profile *ret_profile)
{
    char *unpacked = NULL;
    reader->failure->text[0] = '\0';
    if (is_gzip(bytes, length)) {
        int error =
            gunzip(bytes, length, UNPACKED_MAX, &unpacked, &length, reader->failure);
        if (error < 0) {
            return error;
        }
        bytes = unpacked;
    }
    int error = proto_read(reader, (struct wire){.at = bytes, .end = bytes + length});
    if (error < 0) {
        error = proto_refuse(reader, error);
    }
    proto_tables_release(&reader->tables);
    free(unpacked);
    return reader_deliver(&reader->text, error, ret_profile, reader->failure);
}

int profile_parse_proto(struct profile *ret_profile, const char *bytes, size_t length,
                        bool threads, struct failure *failure)
{
    struct proto_reader reader = {
        .text = {.kind = threads ? "thread" : "heap"},
        .values = {.subject = threads ? PROTO_THREADS : PROTO_HEAP},
        .failure = failure};
    return proto_parse(&reader, bytes, length, ret_profile);
}

int profile_parse_counts(struct profile *ret_profile, const char *bytes, size_t length,
                         const char *counted, struct failure *failure)
{
    struct proto_reader reader = {
        .text = {.kind = counted},
        .values = {.subject = PROTO_COUNTS, .counted = counted},
        .failure = failure};
    if (!profile_is_proto(bytes, length)) {
        return failure_set(failure, EPROTO, "the reply is no profile.proto");
    }
    return proto_parse(&reader, bytes, length, ret_profile);
}
