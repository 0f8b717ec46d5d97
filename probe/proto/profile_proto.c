/*
 * profile.proto. A profile is a row of fields in any order, so samples, locations,
 * functions and strings are each written to a buffer of their own, and joined at the
 * end: one pass over the stacks does it all.
 */
#include "probe/proto/profile_proto.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "probe/symbols/symbols.h"

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

/* A stack that is known by the text it was read from. */
struct known_stack {
    size_t key; /* offset in `known_bytes` */
    size_t key_bytes;
    size_t ids; /* offset there of its location ids, encoded */
    size_t ids_bytes;
};

struct profile_writer {
    /* Kept from profile to profile. */
    struct buffer mappings;
    struct buffer locations;
    struct buffer functions;
    struct buffer strings;
    struct buffer known_bytes;
    struct buffer known;       /* struct known_stack */
    struct table known_index;  /* by the key's hash */
    struct table location_ids; /* by address */
    struct table function_ids; /* by address and file */
    struct table file_ids;     /* of a file's name, by the pointer to it */
    struct table module_ids;   /* by start */
    uint32_t known_count;
    uint32_t known_last; /* the number that was asked for last */
    uint32_t locations_count;
    uint32_t functions_count;
    uint32_t modules_count;
    uint32_t strings_count;
    size_t modules_read; /* probe_symbols_modules_read when all this began */

    /* Of the profile in the making. */
    size_t values_count;
    struct buffer samples;
    struct buffer ids;     /* of a stack's locations, encoded */
    struct buffer message; /* a message in the making */
    struct buffer inner;   /* a message inside that one */
    bool failed;           /* memory ran out: nothing of this can be relied on */
};

/* What is kept is thrown away when it comes to this many bytes: a program without end
 * of different stacks must not fill the memory. */
#define KEPT_BYTES_MAX ((size_t)32 * 1024 * 1024)

static struct profile_writer the_writer;
static pthread_mutex_t writer_lock = PTHREAD_MUTEX_INITIALIZER;

#define VARINT_BYTES_MAX 10

/* Writes a number, seven bits a byte, the lowest first. Returns where it ends. */
static unsigned char *varint_put(unsigned char *at, uint64_t value)
{
    while (value > 0x7f) {
        *at++ = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    *at++ = (unsigned char)value;
    return at;
}

static void varint(struct buffer *buffer, uint64_t value)
{
    char *start = buffer_reserve(buffer, VARINT_BYTES_MAX);
    if (start != NULL) {
        unsigned char *end = varint_put((unsigned char *)start, value);
        buffer_extend(buffer, (size_t)(end - (unsigned char *)start));
    }
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
static uint32_t string_add(struct profile_writer *writer, const char *text)
{
    if (text == NULL || text[0] == '\0') {
        return 0;
    }
    field_bytes(&writer->strings, PROFILE_STRING_TABLE, text, strlen(text));
    return writer->strings_count++;
}

/* The number that `table` has for the key, or NULL when memory is short. */
static uint32_t *id_at(struct profile_writer *writer, struct table *table, uint64_t key)
{
    uint32_t *id = probe_table_at(table, key);
    if (id == NULL) {
        writer->failed = true;
    }
    return id;
}

/* A file's name comes again and again, always with the same pointer. */
static uint32_t file_add(struct profile_writer *writer, const char *file)
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

static void mappings_write(struct profile_writer *writer)
{
    size_t number = 0;
    const struct module *module = NULL;
    while ((module = probe_symbols_module_next(&number)) != NULL) {
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
static uint32_t function_write(struct profile_writer *writer, const char *name,
                               uint32_t file)
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
static uint32_t function_add(struct profile_writer *writer, const struct symbol *symbol)
{
    uint32_t file = file_add(writer, symbol->file);
    uint32_t *id =
        id_at(writer, &writer->function_ids, probe_table_mix(symbol->start) + file);
    if (id == NULL) {
        return 0;
    }
    if (*id == 0) {
        *id = function_write(writer, symbol->function, file);
    }
    return *id;
}

/* Writes a location with its one line and returns its id. */
static uint32_t location_write(struct profile_writer *writer, uint32_t mapping,
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

static uint32_t location_add(struct profile_writer *writer, uintptr_t address)
{
    uint32_t *id = id_at(writer, &writer->location_ids, address);
    if (id == NULL) {
        return 0;
    }
    if (*id == 0) {
        struct symbol symbol;
        uint32_t mapping = 0;
        if (probe_symbols_find(address, &symbol)) {
            const struct module *module = probe_symbols_module(address);
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

static bool values_all_zero(const int64_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (values[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Writes a sample. Location ids and values are repeated numbers, packed into a field
 * each; the ids come encoded. There are thousands of samples in a profile, hence by
 * hand, without the detour over a message of their own. */
static void sample_write(struct profile_writer *writer, const void *ids,
                         size_t ids_bytes, const int64_t *values)
{
    unsigned char packed[STACK_VALUES * VARINT_BYTES_MAX];
    unsigned char *packed_end = packed;
    for (size_t i = 0; i < writer->values_count; i++) {
        packed_end = varint_put(packed_end, (uint64_t)values[i]);
    }
    size_t packed_bytes = (size_t)(packed_end - packed);

    unsigned char head[2 * VARINT_BYTES_MAX];
    unsigned char *head_end = varint_put(head, SAMPLE_LOCATION_ID << 3 | WIRE_BYTES);
    head_end = varint_put(head_end, ids_bytes);
    size_t head_bytes = (size_t)(head_end - head);

    /* The field of the values has one byte of tag and, being short, one of length. */
    size_t bytes = head_bytes + ids_bytes + 2 + packed_bytes;
    unsigned char *start =
        (unsigned char *)buffer_reserve(&writer->samples, bytes + 2 * VARINT_BYTES_MAX);
    if (start == NULL) {
        writer->failed = true;
        return;
    }
    unsigned char *at = varint_put(start, PROFILE_SAMPLE << 3 | WIRE_BYTES);
    at = varint_put(at, bytes);
    at = mempcpy(at, head, head_bytes);
    at = mempcpy(at, ids, ids_bytes);
    *at++ = SAMPLE_VALUE << 3 | WIRE_BYTES;
    *at++ = (unsigned char)packed_bytes;
    at = mempcpy(at, packed, packed_bytes);
    buffer_extend(&writer->samples, (size_t)(at - start));
}

/* Encodes the ids of the frames' locations. */
static void location_ids_write(struct profile_writer *writer, const uintptr_t *frames,
                               size_t depth, struct buffer *ids)
{
    for (size_t i = 0; i < depth; i++) {
        varint(ids, location_add(writer, frames[i]));
    }
}

void probe_profile_add(struct profile_writer *writer, const uintptr_t *frames,
                       size_t depth, const int64_t *values)
{
    if (values_all_zero(values, writer->values_count)) {
        return;
    }
    struct buffer *ids = &writer->ids;
    buffer_clear(ids);
    location_ids_write(writer, frames, depth, ids);
    sample_write(writer, ids->data, ids->length, values);
    writer->failed |= ids->error != 0;
}

/* FNV-1a (Fowler, Noll, Vo) over eight bytes at a time, with their upper half folded in
 * as the multiplication only moves bits up. */
static uint64_t key_hash(const char *key, size_t key_bytes)
{
    uint64_t hash = 0xcbf29ce484222325U ^ key_bytes;
    const char *end = key + key_bytes;
    uint64_t piece = 0;
    for (; end - key >= (ptrdiff_t)sizeof(piece); key += sizeof(piece)) {
        memcpy(&piece, key, sizeof(piece));
        hash = (hash ^ piece) * 0x100000001b3U;
        hash ^= hash >> 32;
    }
    piece = 0;
    memcpy(&piece, key, (size_t)(end - key));
    return (hash ^ piece) * 0x100000001b3U;
}

static const struct known_stack *known_at(const struct profile_writer *writer,
                                          uint32_t number)
{
    return (const struct known_stack *)(const void *)writer->known.data + number - 1;
}

static bool known_is(const struct profile_writer *writer, uint32_t number,
                     const char *key, size_t key_bytes)
{
    const struct known_stack *known = known_at(writer, number);
    return known->key_bytes == key_bytes &&
           memcmp(writer->known_bytes.data + known->key, key, key_bytes) == 0;
}

/* The place in the index for the key's number: it is 0 if the key is new. NULL when
 * memory is short. */
static uint32_t *known_find(struct profile_writer *writer, const char *key,
                            size_t key_bytes)
{
    for (uint64_t hash = key_hash(key, key_bytes);; hash++) {
        uint32_t *number = id_at(writer, &writer->known_index, hash);
        if (number == NULL || *number == 0) {
            return number;
        }
        /* Two keys may share a hash: then the next number is the second one's. */
        if (known_is(writer, *number, key, key_bytes)) {
            return number;
        }
    }
}

bool probe_profile_add_known(struct profile_writer *writer, const char *key,
                             size_t key_bytes, const int64_t *values)
{
    /* Profiles of one program list their stacks in nearly the same order, so the next
     * one is looked at before the index is. */
    uint32_t guess = writer->known_last + 1;
    if (guess > writer->known_count || !known_is(writer, guess, key, key_bytes)) {
        const uint32_t *number = known_find(writer, key, key_bytes);
        guess = number == NULL ? 0 : *number;
    }
    if (guess == 0) {
        return false;
    }
    writer->known_last = guess;
    const struct known_stack *known = known_at(writer, guess);
    if (!values_all_zero(values, writer->values_count)) {
        sample_write(writer, writer->known_bytes.data + known->ids, known->ids_bytes,
                     values);
    }
    return true;
}

void probe_profile_add_as(struct profile_writer *writer, const char *key,
                          size_t key_bytes, const uintptr_t *frames, size_t depth,
                          const int64_t *values)
{
    struct buffer *bytes = &writer->known_bytes;
    struct known_stack known = {.key = bytes->length, .key_bytes = key_bytes};
    buffer_append(bytes, key, key_bytes);
    known.ids = bytes->length;
    location_ids_write(writer, frames, depth, bytes);
    known.ids_bytes = bytes->length - known.ids;
    buffer_append(&writer->known, &known, sizeof(known));
    uint32_t *number = known_find(writer, key, key_bytes);
    if (number == NULL || bytes->error != 0 || writer->known.error != 0) {
        writer->failed = true;
        return;
    }
    *number = ++writer->known_count;
    probe_profile_add_known(writer, key, key_bytes, values);
}

static void writer_release(struct profile_writer *writer)
{
    struct buffer *const buffers[] = {
        &writer->mappings,    &writer->locations, &writer->functions, &writer->strings,
        &writer->known_bytes, &writer->known,     &writer->samples,   &writer->message,
        &writer->inner,       &writer->ids,
    };
    struct table *const tables[] = {
        &writer->known_index, &writer->location_ids, &writer->function_ids,
        &writer->file_ids,    &writer->module_ids,
    };
    for (size_t i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++) {
        buffer_release(buffers[i]);
    }
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        probe_table_release(tables[i]);
    }
    *writer = (struct profile_writer){0};
}

struct profile_writer *probe_profile_begin(size_t values_count)
{
    pthread_mutex_lock(&writer_lock);
    /* What can't be read has no name in the profile, which is still worth having. */
    probe_symbols_load();
    struct profile_writer *writer = &the_writer;
    size_t kept = writer->known_bytes.length + writer->locations.length +
                  writer->functions.length + writer->strings.length;
    if (writer->strings_count == 0 || kept > KEPT_BYTES_MAX ||
        writer->modules_read != probe_symbols_modules_read()) {
        writer_release(writer);
        writer->modules_read = probe_symbols_modules_read();
        field_bytes(&writer->strings, PROFILE_STRING_TABLE, "", 0);
        writer->strings_count = 1;
        mappings_write(writer);
    }
    writer->values_count = values_count;
    writer->known_last = 0;
    return writer;
}

/* Lets the next one write. What has failed once is begun anew. */
static void writer_leave(struct profile_writer *writer)
{
    if (writer->failed) {
        writer_release(writer);
    } else {
        buffer_clear(&writer->samples);
    }
    pthread_mutex_unlock(&writer_lock);
}

void probe_profile_abandon(struct profile_writer *writer)
{
    writer_leave(writer);
}

static void type_write(struct profile_writer *writer, struct buffer *profile,
                       unsigned field, const struct profile_type *type)
{
    field_number(&writer->message, VALUE_TYPE_TYPE, string_add(writer, type->type));
    field_number(&writer->message, VALUE_TYPE_UNIT, string_add(writer, type->unit));
    field_message(profile, field, &writer->message);
}

static void description_write(struct profile_writer *writer,
                              const struct profile_description *description,
                              struct buffer *profile)
{
    for (size_t i = 0; i < writer->values_count; i++) {
        type_write(writer, profile, PROFILE_SAMPLE_TYPE, &description->types[i]);
    }
    type_write(writer, profile, PROFILE_PERIOD_TYPE, &description->period_type);
    field_number(profile, PROFILE_PERIOD, (uint64_t)description->period);
    field_number(profile, PROFILE_TIME_NANOS, (uint64_t)description->time_ns);
    field_number(profile, PROFILE_DURATION_NANOS, (uint64_t)description->duration_ns);
    field_number(profile, PROFILE_COMMENT, string_add(writer, description->comment));
    field_number(profile, PROFILE_DEFAULT_SAMPLE_TYPE,
                 string_add(writer, description->default_type));
}

static void rest_write(struct profile_writer *writer,
                       const struct profile_description *description)
{
    if (description->rest_name == NULL ||
        values_all_zero(description->rest, writer->values_count)) {
        return;
    }
    uint32_t function = function_write(writer, description->rest_name, 0);
    buffer_clear(&writer->ids);
    varint(&writer->ids, location_write(writer, 0, 0, function, 0));
    sample_write(writer, writer->ids.data, writer->ids.length, description->rest);
}

/* Appends a part of the profile to the whole of it. */
static void part_append(struct profile_writer *writer, struct buffer *profile,
                        const struct buffer *part)
{
    writer->failed |= part->error != 0;
    buffer_append(profile, part->data, part->length);
}

/* What only this profile says is written behind what is kept, and taken off again: the
 * next profile then finds all as it was. */
struct kept {
    size_t strings, functions, locations; /* lengths */
    uint32_t strings_count, functions_count, locations_count;
};

static struct kept kept_save(const struct profile_writer *writer)
{
    return (struct kept){
        .strings = writer->strings.length,
        .functions = writer->functions.length,
        .locations = writer->locations.length,
        .strings_count = writer->strings_count,
        .functions_count = writer->functions_count,
        .locations_count = writer->locations_count,
    };
}

static void kept_restore(struct profile_writer *writer, const struct kept *kept)
{
    writer->strings.length = kept->strings;
    writer->functions.length = kept->functions;
    writer->locations.length = kept->locations;
    writer->strings_count = kept->strings_count;
    writer->functions_count = kept->functions_count;
    writer->locations_count = kept->locations_count;
}

int probe_profile_end(struct profile_writer *writer,
                      const struct profile_description *description,
                      struct buffer *ret_profile)
{
    struct kept kept = kept_save(writer);
    description_write(writer, description, ret_profile);
    rest_write(writer, description);
    /* Room for all at once: growing step by step would copy it again and again. */
    buffer_reserve(ret_profile, writer->samples.length + writer->mappings.length +
                                    writer->locations.length +
                                    writer->functions.length + writer->strings.length);
    part_append(writer, ret_profile, &writer->samples);
    part_append(writer, ret_profile, &writer->mappings);
    part_append(writer, ret_profile, &writer->locations);
    part_append(writer, ret_profile, &writer->functions);
    part_append(writer, ret_profile, &writer->strings);
    kept_restore(writer, &kept);
    if (writer->failed) {
        ret_profile->error = -ENOMEM;
    }
    writer_leave(writer);
    return ret_profile->error;
}

int probe_profile_write(const struct stacks *stacks,
                        const struct profile_description *description,
                        struct buffer *ret_profile)
{
    size_t values_count = 0;
    while (values_count < STACK_VALUES && description->types[values_count].type) {
        values_count++;
    }
    struct profile_writer *writer = probe_profile_begin(values_count);
    for (size_t i = 0; i < stacks->count; i++) {
        const struct stack *stack = probe_stacks_at(stacks, i);
        probe_profile_add(writer, probe_stacks_frames(stacks, stack), stack->depth,
                          stack->values);
    }
    return probe_profile_end(writer, description, ret_profile);
}

int64_t probe_profile_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * NANOSECONDS + now.tv_nsec;
}
