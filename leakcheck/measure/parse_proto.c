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
#include "leakcheck/measure/proto_tables.h"

#define UNPACKED_MAX (64 * MIB)
#define VALUES_MAX 64                  /* in a sample */
#define VALUE_MAX (INT64_MAX / KIB)    /* as in the text formats */
#define USUAL_PERIOD ((int64_t)524288) /* where a profile does not say its own */

/* The values of a sample that are used. */
enum value {
    INUSE_OBJECTS,
    INUSE_BYTES,
    ALLOC_OBJECTS,
    ALLOC_BYTES,
    LOST_OBJECTS,
    LOST_BYTES,
    THREADS,
    VALUE_COUNT
};

/* The names that producers give them, and the unit of amounts in bytes. Node calls
 * what is in use "space" and "objects"; Java's agents call it "live". */
static const struct {
    const char *name;
    enum value value;
} value_names[] = {
    {"inuse_objects", INUSE_OBJECTS},
    {"objects", INUSE_OBJECTS},
    {"heap-live-objects", INUSE_OBJECTS},
    {"inuse_space", INUSE_BYTES},
    {"space", INUSE_BYTES},
    {"live", INUSE_BYTES},
    {"heap-live-size", INUSE_BYTES},
    {"alloc_objects", ALLOC_OBJECTS},
    {"alloc_space", ALLOC_BYTES},
    {"lost_objects", LOST_OBJECTS},
    {"lost_space", LOST_BYTES},
    {"goroutine", THREADS},
    {"goroutines", THREADS},
    {"thread", THREADS},
    {"threads", THREADS},
    {"threadcreate", THREADS},
};

struct proto_reader {
    struct profile_reader text; /* the profile so far */
    struct proto_tables tables;
    int column[VALUE_COUNT]; /* where in a sample the value is; -1: nowhere */
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

/* Reads a ValueType: the names of a value and of its unit. */
static int type_read(struct proto_reader *reader, struct wire message,
                     const char **ret_name, const char **ret_unit)
{
    struct wire_field field;
    int error = 0;
    *ret_name = "";
    *ret_unit = "";
    while (error == 0 && wire_next(&message, &field)) {
        if (field.field == 1 || field.field == 2) {
            error = proto_text(&reader->tables, &reader->text.profile.arena,
                               field.number, field.field == 1 ? ret_name : ret_unit);
        }
    }
    return error == 0 && message.bad ? -EPROTO : error;
}

static bool is_bytes(enum value value)
{
    return value == INUSE_BYTES || value == ALLOC_BYTES || value == LOST_BYTES;
}

/* Finds the columns of the values. The first of two equal names is taken. */
static int columns_find(struct proto_reader *reader)
{
    const struct proto_list *types = &reader->tables.sample_types;
    for (int i = 0; i < VALUE_COUNT; i++) {
        reader->column[i] = -1;
    }
    for (size_t i = 0; i < types->count && i < VALUES_MAX; i++) {
        const char *name;
        const char *unit;
        int error = type_read(reader, types->items[i].message, &name, &unit);
        if (error < 0) {
            return error;
        }
        for (size_t j = 0; j < sizeof(value_names) / sizeof(value_names[0]); j++) {
            enum value value = value_names[j].value;
            if (strcmp(name, value_names[j].name) != 0 || reader->column[value] >= 0) {
                continue;
            }
            if (is_bytes(value) && strcmp(unit, "bytes") != 0) {
                return failure_set(reader->failure, EPROTO,
                                   "the profile counts %.40s in '%.40s', not in bytes",
                                   name, unit);
            }
            reader->column[value] = (int)i;
        }
    }
    return 0;
}

/* Checks that the profile has what is wanted. */
static int columns_check(struct proto_reader *reader, bool threads)
{
    if (threads && reader->column[THREADS] < 0) {
        return failure_set(reader->failure, EPROTO,
                           "the profile is no thread profile: none of its values is "
                           "named 'goroutine' or 'threads'");
    }
    if (!threads && reader->column[INUSE_BYTES] < 0) {
        return failure_set(reader->failure, EPROTO,
                           reader->column[ALLOC_BYTES] < 0
                               ? "the profile is no heap profile: none of its values "
                                 "is named 'inuse_space' or 'space'"
                               : "the profile counts what was allocated, not what is "
                                 "in use: it has alloc_space, but no inuse_space");
    }
    return 0;
}

/* Sets *ret_amount to one value of a sample; 0 if the profile does not have it. */
static int value_take(struct proto_reader *reader, const int64_t *values, size_t count,
                      enum value value, int64_t *ret_amount)
{
    int column = reader->column[value];
    *ret_amount = 0;
    if (column < 0) {
        return 0;
    }
    if ((size_t)column >= count) {
        return -EPROTO;
    }
    if (values[column] < 0 || values[column] > VALUE_MAX) {
        return failure_set(reader->failure, EPROTO,
                           "the profile has an amount that cannot be true: %lld",
                           (long long)values[column]);
    }
    *ret_amount = values[column];
    return 0;
}

static int amounts_take(struct proto_reader *reader, const int64_t *values,
                        size_t count, bool threads, struct amounts *ret_amounts)
{
    struct amounts amounts = {0};
    if (threads) {
        int error = value_take(reader, values, count, THREADS, &amounts.inuse_objects);
        *ret_amounts = amounts;
        return error;
    }
    int64_t *const taken[] = {
        [INUSE_OBJECTS] = &amounts.inuse_objects, [INUSE_BYTES] = &amounts.inuse_bytes,
        [ALLOC_OBJECTS] = &amounts.alloc_objects, [ALLOC_BYTES] = &amounts.alloc_bytes,
        [LOST_OBJECTS] = &amounts.lost_objects,   [LOST_BYTES] = &amounts.lost_bytes};
    for (enum value value = INUSE_OBJECTS; value <= LOST_BYTES; value++) {
        int error = value_take(reader, values, count, value, taken[value]);
        if (error < 0) {
            return error;
        }
    }
    /* Freed allocations are not counted: as in gperftools' samples, both are equal. */
    if (reader->column[ALLOC_BYTES] < 0) {
        amounts.alloc_objects = amounts.inuse_objects;
        amounts.alloc_bytes = amounts.inuse_bytes;
    }
    *ret_amounts = amounts;
    return 0;
}

/* Adds the record of a stack whose `depth` places are known. */
static int stack_add(struct proto_reader *reader,
                     const struct proto_place *const *places, size_t depth,
                     const struct amounts *amounts)
{
    struct profile *profile = &reader->text.profile;
    struct record record = {.amounts = *amounts, .depth = depth};
    bool named = false;
    for (size_t i = 0; i < depth; i++) {
        record.frame_count += places[i]->frame_count;
        named = named || places[i]->named;
    }
    record.frame_count = named ? record.frame_count : 0;
    reader->text.address_count += depth;
    reader->text.frame_count += record.frame_count;
    if (reader->text.address_count > PROFILE_FRAMES_MAX ||
        reader->text.frame_count > PROFILE_FRAMES_MAX) {
        return -E2BIG;
    }
    record.addresses = arena_alloc(&profile->arena, sizeof(uint64_t) * (depth + 1));
    record.frames =
        arena_alloc(&profile->arena, sizeof(struct frame) * (record.frame_count + 1));
    if (record.addresses == NULL || record.frames == NULL) {
        return -ENOMEM;
    }
    struct frame *frame = record.frames;
    for (size_t i = 0; i < depth; i++) {
        record.addresses[i] = places[i]->key;
        if (named) {
            memcpy(frame, places[i]->frames, sizeof(*frame) * places[i]->frame_count);
            frame += places[i]->frame_count;
        }
    }
    profile->records[profile->count++] = record;
    amounts_add(&profile->totals, amounts);
    return 0;
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

/* Whether the label is the one of blocks that are lost through another lost one. */
static int label_read(struct proto_reader *reader, struct wire message,
                      bool *ret_indirect)
{
    enum { KEY = 1 };
    struct wire_field field;
    const char *key = "";
    int error = 0;
    while (error == 0 && wire_next(&message, &field)) {
        if (field.field == KEY) {
            error = proto_text(&reader->tables, &reader->text.profile.arena,
                               field.number, &key);
        }
    }
    *ret_indirect = *ret_indirect || strcmp(key, "indirect") == 0;
    return error == 0 && message.bad ? -EPROTO : error;
}

static int sample_read(struct proto_reader *reader, struct wire message, bool threads,
                       struct stack *stack)
{
    enum { LOCATIONS = 1, VALUES = 2, LABEL = 3 };
    int64_t values[VALUES_MAX];
    size_t count = 0;
    struct wire_field field;
    struct amounts amounts;
    bool indirect = false;
    int error = 0;
    stack->depth = 0;
    while (error == 0 && wire_next(&message, &field)) {
        if (field.field == LABEL && reader->text.profile.has_lost) {
            error = label_read(reader, field.bytes, &indirect);
            continue;
        }
        uint64_t number;
        while (error == 0 && (field.field == LOCATIONS || field.field == VALUES) &&
               wire_number(&field, &number)) {
            if (field.field == LOCATIONS) {
                error = stack_push(stack, proto_place(&reader->tables, number));
            } else if (count < VALUES_MAX) {
                values[count++] = (int64_t)number;
            }
        }
        error = error == 0 && field.bytes.bad ? -EPROTO : error;
    }
    error = error == 0 && message.bad ? -EPROTO : error;
    if (error == 0) {
        error = amounts_take(reader, values, count, threads, &amounts);
    }
    if (error == 0 && !indirect) {
        amounts.direct_objects = amounts.lost_objects;
        amounts.direct_bytes = amounts.lost_bytes;
    }
    return error == 0 ? stack_add(reader, stack->places, stack->depth, &amounts)
                      : error;
}

static int samples_read(struct proto_reader *reader, struct wire whole, bool threads)
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
            error = sample_read(reader, field.bytes, threads, &stack);
        }
    }
    free(stack.places);
    return error;
}

/* Reads a mapping. One without a path or without addresses is skipped: Java and Node
 * write such. */
static int mapping_read(struct proto_reader *reader, struct wire message,
                        struct mapping *ret_mapping)
{
    enum { START = 2, END = 3, OFFSET = 4, PATH = 5 };
    struct mapping mapping = {.path = ""};
    struct wire_field field;
    int error = 0;
    while (error == 0 && wire_next(&message, &field)) {
        switch (field.field) {
        case START:
            mapping.start = field.number;
            break;
        case END:
            mapping.end = field.number;
            break;
        case OFFSET:
            mapping.offset = field.number;
            break;
        case PATH:
            error = proto_text(&reader->tables, &reader->text.profile.arena,
                               field.number, &mapping.path);
            break;
        default:
            break;
        }
    }
    *ret_mapping = mapping;
    return error == 0 && message.bad ? -EPROTO : error;
}

static int mapping_compare(const void *left, const void *right)
{
    uint64_t a = ((const struct mapping *)left)->start;
    uint64_t b = ((const struct mapping *)right)->start;
    return a == b ? 0 : a < b ? -1 : 1;
}

/* Keeps the mappings that do not overlap, and finds the program's, which the format
 * puts first. */
static void mappings_order(struct profile *profile, const char *program)
{
    size_t kept = 0;
    qsort(profile->mappings, profile->mapping_count, sizeof(*profile->mappings),
          mapping_compare);
    for (size_t i = 0; i < profile->mapping_count; i++) {
        if (kept == 0 ||
            profile->mappings[i].start >= profile->mappings[kept - 1].end) {
            profile->mappings[kept++] = profile->mappings[i];
        }
    }
    profile->mapping_count = kept;
    for (size_t i = kept; i > 0; i--) {
        if (strcmp(profile->mappings[i - 1].path, program) == 0) {
            profile->program = i - 1;
        }
    }
}

static int mappings_read(struct proto_reader *reader)
{
    const struct proto_list *list = &reader->tables.mappings;
    struct profile *profile = &reader->text.profile;
    if (list->count > PROFILE_MAPPINGS_MAX) {
        return -E2BIG;
    }
    profile->mappings = calloc(list->count + 1, sizeof(*profile->mappings));
    if (profile->mappings == NULL) {
        return -ENOMEM;
    }
    const char *program = "";
    for (size_t i = 0; i < list->count; i++) {
        struct mapping mapping;
        int error = mapping_read(reader, list->items[i].message, &mapping);
        if (error < 0) {
            return error;
        }
        if (mapping.path[0] == '/' && mapping.start < mapping.end) {
            program = profile->mapping_count == 0 ? mapping.path : program;
            profile->mappings[profile->mapping_count++] = mapping;
        }
    }
    mappings_order(profile, program);
    return 0;
}

/* Sets the format. The period counts only if it is one of bytes. Where it is not said,
 * the profile is taken for one with the samplers' usual period: every one of them
 * (Go's, tcmalloc's, jemalloc's, V8's) takes a sample in 512 KiB. */
static int format_set(struct proto_reader *reader, bool threads)
{
    struct profile *profile = &reader->text.profile;
    const char *name;
    const char *unit;
    int error = type_read(reader, reader->tables.period_type, &name, &unit);
    int64_t period = reader->tables.period;
    if (strcmp(unit, "bytes") != 0 || period < 1 || period > VALUE_MAX) {
        period = USUAL_PERIOD;
    }
    profile->format = threads       ? PROFILE_THREADS
                      : period == 1 ? PROFILE_EXACT
                                    : PROFILE_SAMPLED_PROTO;
    profile->period = threads ? 1 : period;
    profile->is_go = reader->tables.is_go;
    profile->has_lost =
        reader->column[LOST_BYTES] >= 0 && reader->column[LOST_OBJECTS] >= 0;
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

static int proto_read(struct proto_reader *reader, struct wire whole, bool threads)
{
    int error = proto_tables_read(&reader->tables, whole, &reader->text.profile.arena);
    error = error == 0 ? columns_find(reader) : error;
    error = error == 0 ? columns_check(reader, threads) : error;
    error = error == 0 ? format_set(reader, threads) : error;
    error = error == 0 ? comment_read(reader, whole) : error;
    error = error == 0 ? mappings_read(reader) : error;
    return error == 0 ? samples_read(reader, whole, threads) : error;
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

int profile_parse_proto(struct profile *ret_profile, const char *bytes, size_t length,
                        bool threads, struct failure *failure)
{
    struct proto_reader reader = {.text = {.kind = threads ? "thread" : "heap"},
                                  .failure = failure};
    char *unpacked = NULL;
    failure->text[0] = '\0';
    if (is_gzip(bytes, length)) {
        int error = gunzip(bytes, length, UNPACKED_MAX, &unpacked, &length, failure);
        if (error < 0) {
            return error;
        }
        bytes = unpacked;
    }
    int error =
        proto_read(&reader, (struct wire){.at = bytes, .end = bytes + length}, threads);
    if (error < 0) {
        error = proto_refuse(&reader, error);
    }
    proto_tables_release(&reader.tables);
    free(unpacked);
    return reader_deliver(&reader.text, error, ret_profile, failure);
}
