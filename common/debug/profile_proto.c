/*
 * profile.proto. A profile is a row of fields in any order, so samples, locations,
 * functions and strings are each written to a buffer of their own, and joined at the
 * end: one pass over the stacks does it all.
 */
#include "debug/profile_proto.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "debug/symbols.h"

#define NANOSECONDS 1000000000

/* Field numbers of the messages, from profile.proto. */
enum {
    PROFILE_SAMPLE_TYPE = 1,
    PROFILE_SAMPLE = 2,
    PROFILE_MAPPING = 3,
    PROFILE_LOCATION = 4,
    PROFILE_FUNCTION = 5,
    PROFILE_STRING_TABLE = 6,
    PROFILE_TIME_NANOS = 9,
    PROFILE_DURATION_NANOS = 10,
    PROFILE_PERIOD_TYPE = 11,
    PROFILE_PERIOD = 12,
    PROFILE_COMMENT = 13,
    PROFILE_DEFAULT_SAMPLE_TYPE = 14,
    VALUE_TYPE_TYPE = 1,
    VALUE_TYPE_UNIT = 2,
    SAMPLE_LOCATION_ID = 1,
    SAMPLE_VALUE = 2,
    MAPPING_ID = 1,
    MAPPING_START = 2,
    MAPPING_LIMIT = 3,
    MAPPING_OFFSET = 4,
    MAPPING_FILE = 5,
    MAPPING_BUILD_ID = 6,
    MAPPING_HAS_FUNCTIONS = 7,
    MAPPING_HAS_FILENAMES = 8,
    MAPPING_HAS_LINES = 9,
    MAPPING_HAS_INLINES = 10,
    LOCATION_ID = 1,
    LOCATION_MAPPING_ID = 2,
    LOCATION_ADDRESS = 3,
    LOCATION_LINE = 4,
    LINE_FUNCTION_ID = 1,
    LINE_LINE = 2,
    FUNCTION_ID = 1,
    FUNCTION_NAME = 2,
    FUNCTION_SYSTEM_NAME = 3,
    FUNCTION_FILE = 4,
};

enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

struct writer {
    struct buffer samples;
    struct buffer mappings;
    struct buffer locations;
    struct buffer functions;
    struct buffer strings;
    struct buffer message;     /* a message in the making */
    struct buffer inner;       /* a message inside that one */
    struct table location_ids; /* by address */
    struct table function_ids; /* by address and file */
    struct table file_ids;     /* of a file's name, by the pointer to it */
    struct table module_ids;   /* by start */
    uint32_t locations_count;
    uint32_t functions_count;
    uint32_t modules_count;
    uint32_t strings_count;
    bool failed; /* a table ran out of memory */
};

static void varint(struct buffer *buffer, uint64_t value)
{
    unsigned char bytes[10];
    size_t count = 0;
    do {
        bytes[count] = (unsigned char)(value & 0x7f);
        value >>= 7;
        if (value != 0) {
            bytes[count] |= 0x80;
        }
        count++;
    } while (value != 0);
    buffer_append(buffer, bytes, count);
}

static void field_number(struct buffer *buffer, unsigned field, uint64_t value)
{
    if (value != 0) { /* 0 is what a field that is not there means */
        varint(buffer, field << 3 | WIRE_VARINT);
        varint(buffer, value);
    }
}

static void field_bytes(struct buffer *buffer, unsigned field, const void *data,
                        size_t bytes)
{
    varint(buffer, field << 3 | WIRE_BYTES);
    varint(buffer, bytes);
    buffer_append(buffer, data, bytes);
}

/* Writes `message` as a field of `buffer` and empties it for the next. */
static void field_message(struct buffer *buffer, unsigned field, struct buffer *message)
{
    if (message->error != 0) {
        buffer->error = message->error;
        return;
    }
    field_bytes(buffer, field, message->data, message->length);
    buffer_clear(message);
}

/* Adds a string and returns its index. String 0 is the empty one. */
static uint32_t string_add(struct writer *writer, const char *text)
{
    if (text == NULL || text[0] == '\0') {
        return 0;
    }
    field_bytes(&writer->strings, PROFILE_STRING_TABLE, text, strlen(text));
    return writer->strings_count++;
}

/* The number that `table` has for the key, or NULL when memory is short. */
static uint32_t *id_at(struct writer *writer, struct table *table, uint64_t key)
{
    uint32_t *id = table_at(table, key);
    if (id == NULL) {
        writer->failed = true;
    }
    return id;
}

/* A file's name comes again and again, always with the same pointer. */
static uint32_t file_add(struct writer *writer, const char *file)
{
    if (file == NULL) {
        return 0;
    }
    uint32_t *id = id_at(writer, &writer->file_ids, (uintptr_t)file);
    if (id == NULL) {
        return 0;
    }
    if (*id == 0) {
        *id = string_add(writer, file);
    }
    return *id;
}

static void mappings_write(struct writer *writer)
{
    size_t number = 0;
    const struct module *module = NULL;
    while ((module = symbols_module_next(&number)) != NULL) {
        uint32_t *id = id_at(writer, &writer->module_ids, module->start);
        if (id == NULL) {
            return;
        }
        *id = ++writer->modules_count;
        struct buffer *message = &writer->message;
        field_number(message, MAPPING_ID, *id);
        field_number(message, MAPPING_START, module->start);
        field_number(message, MAPPING_LIMIT, module->end);
        field_number(message, MAPPING_OFFSET, module->offset);
        field_number(message, MAPPING_FILE, string_add(writer, module->path));
        field_number(message, MAPPING_BUILD_ID, string_add(writer, module->build_id));
        /* Said of every module, also where a library gave us but little: a reader who
         * is told so looks for nothing more, neither in local files nor here. */
        field_number(message, MAPPING_HAS_FUNCTIONS, 1);
        field_number(message, MAPPING_HAS_FILENAMES, 1);
        field_number(message, MAPPING_HAS_LINES, 1);
        field_number(message, MAPPING_HAS_INLINES, 1);
        field_message(&writer->mappings, PROFILE_MAPPING, message);
    }
}

/* Writes a function and returns its id. */
static uint32_t function_write(struct writer *writer, const char *name, uint32_t file)
{
    struct buffer *message = &writer->inner;
    uint32_t id = ++writer->functions_count;
    uint32_t name_index = string_add(writer, name);
    field_number(message, FUNCTION_ID, id);
    field_number(message, FUNCTION_NAME, name_index);
    field_number(message, FUNCTION_SYSTEM_NAME, name_index);
    field_number(message, FUNCTION_FILE, file);
    field_message(&writer->functions, PROFILE_FUNCTION, message);
    return id;
}

/* A line may come from another file than its function, by inlining: so a function is
 * written once for each file. */
static uint32_t function_add(struct writer *writer, const struct symbol *symbol)
{
    uint32_t file = file_add(writer, symbol->file);
    uint32_t *id =
        id_at(writer, &writer->function_ids, table_mix(symbol->start) + file);
    if (id == NULL) {
        return 0;
    }
    if (*id == 0) {
        *id = function_write(writer, symbol->function, file);
    }
    return *id;
}

/* Writes a location with its one line and returns its id. */
static uint32_t location_write(struct writer *writer, uint32_t mapping,
                               uintptr_t address, uint32_t function, unsigned line)
{
    uint32_t id = ++writer->locations_count;
    struct buffer *message = &writer->message;
    field_number(&writer->inner, LINE_FUNCTION_ID, function);
    field_number(&writer->inner, LINE_LINE, line);
    field_number(message, LOCATION_ID, id);
    field_number(message, LOCATION_MAPPING_ID, mapping);
    field_number(message, LOCATION_ADDRESS, address);
    field_message(message, LOCATION_LINE, &writer->inner);
    field_message(&writer->locations, PROFILE_LOCATION, message);
    return id;
}

static uint32_t location_add(struct writer *writer, uintptr_t address)
{
    uint32_t *id = id_at(writer, &writer->location_ids, address);
    if (id == NULL) {
        return 0;
    }
    if (*id == 0) {
        struct symbol symbol;
        uint32_t mapping = 0;
        if (symbols_find(address, &symbol)) {
            const struct module *module = symbols_module(address);
            uint32_t *known = module == NULL
                                  ? NULL
                                  : id_at(writer, &writer->module_ids, module->start);
            mapping = known == NULL ? 0 : *known;
        }
        uint32_t function = function_add(writer, &symbol);
        *id = location_write(writer, mapping, address, function, symbol.line);
    }
    return *id;
}

static void sample_write(struct writer *writer, const uint32_t *locations, size_t depth,
                         const int64_t *values, size_t values_count)
{
    /* Both are repeated numbers, packed into one field each. */
    struct buffer *message = &writer->message;
    for (size_t i = 0; i < depth; i++) {
        varint(&writer->inner, locations[i]);
    }
    field_message(message, SAMPLE_LOCATION_ID, &writer->inner);
    for (size_t i = 0; i < values_count; i++) {
        varint(&writer->inner, (uint64_t)values[i]);
    }
    field_message(message, SAMPLE_VALUE, &writer->inner);
    field_message(&writer->samples, PROFILE_SAMPLE, message);
}

static bool all_zero(const int64_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (values[i] != 0) {
            return false;
        }
    }
    return true;
}

static void samples_write(struct writer *writer, const struct stacks *stacks,
                          size_t values_count)
{
    for (size_t i = 0; i < stacks->count; i++) {
        const struct stack *stack = stacks_at(stacks, i);
        if (all_zero(stack->values, values_count)) {
            continue;
        }
        const uintptr_t *frames = stacks_frames(stacks, stack);
        uint32_t locations[STACK_DEPTH_MAX];
        size_t depth = stack->depth < STACK_DEPTH_MAX ? stack->depth : STACK_DEPTH_MAX;
        for (size_t j = 0; j < depth; j++) {
            locations[j] = location_add(writer, frames[j]);
        }
        sample_write(writer, locations, depth, stack->values, values_count);
    }
}

static void rest_write(struct writer *writer,
                       const struct profile_description *description)
{
    if (description->rest_name == NULL ||
        all_zero(description->rest, description->types_count)) {
        return;
    }
    uint32_t function = function_write(writer, description->rest_name, 0);
    uint32_t location = location_write(writer, 0, 0, function, 0);
    sample_write(writer, &location, 1, description->rest, description->types_count);
}

static void type_write(struct writer *writer, struct buffer *buffer, unsigned field,
                       const struct profile_type *type)
{
    field_number(&writer->message, VALUE_TYPE_TYPE, string_add(writer, type->type));
    field_number(&writer->message, VALUE_TYPE_UNIT, string_add(writer, type->unit));
    field_message(buffer, field, &writer->message);
}

static void description_write(struct writer *writer,
                              const struct profile_description *description,
                              struct buffer *buffer)
{
    for (size_t i = 0; i < description->types_count; i++) {
        type_write(writer, buffer, PROFILE_SAMPLE_TYPE, &description->types[i]);
    }
    type_write(writer, buffer, PROFILE_PERIOD_TYPE, &description->period_type);
    field_number(buffer, PROFILE_PERIOD, (uint64_t)description->period);
    field_number(buffer, PROFILE_TIME_NANOS, (uint64_t)description->time_ns);
    field_number(buffer, PROFILE_DURATION_NANOS, (uint64_t)description->duration_ns);
    field_number(buffer, PROFILE_COMMENT, string_add(writer, description->comment));
    field_number(buffer, PROFILE_DEFAULT_SAMPLE_TYPE,
                 string_add(writer, description->default_type));
}

static void part_append(struct buffer *whole, struct buffer *part)
{
    if (part->error != 0) {
        whole->error = part->error;
    } else if (part->length > 0) {
        buffer_append(whole, part->data, part->length);
    }
    buffer_release(part);
}

int profile_proto_write(const struct stacks *stacks,
                        const struct profile_description *description,
                        struct buffer *ret_profile)
{
    /* What can't be read has no name in the profile, which is still worth having. */
    symbols_load();
    struct writer writer = {.strings_count = 1};
    field_bytes(&writer.strings, PROFILE_STRING_TABLE, "", 0);
    mappings_write(&writer);
    description_write(&writer, description, ret_profile);
    samples_write(&writer, stacks, description->types_count);
    rest_write(&writer, description);
    part_append(ret_profile, &writer.samples);
    part_append(ret_profile, &writer.mappings);
    part_append(ret_profile, &writer.locations);
    part_append(ret_profile, &writer.functions);
    part_append(ret_profile, &writer.strings);
    buffer_release(&writer.message);
    buffer_release(&writer.inner);
    table_release(&writer.location_ids);
    table_release(&writer.function_ids);
    table_release(&writer.file_ids);
    table_release(&writer.module_ids);
    if (writer.failed) {
        ret_profile->error = -ENOMEM;
    }
    return ret_profile->error;
}

int64_t profile_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * NANOSECONDS + now.tv_nsec;
}
