/*
 * The fields of a message can come in any order. So one pass over the stacks writes the
 * samples to one buffer and what they refer to into the dictionary; both are joined at
 * the end.
 */
#include "probe/proto/profile_proto.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/size.h"
#include "probe/proto/dictionary.h"
#include "probe/proto/known_stacks.h"
#include "probe/proto/profile_fields.h"
#include "probe/proto/wire.h"
#include "probe/symbols/symbols.h"

struct profile_writer {
    /* Kept from profile to profile. */
    struct dictionary dictionary;
    struct known_stacks known;
    size_t modules_read; /* probe_symbols_modules_read when the dictionary was set up */

    /* Of the profile that is being written. */
    size_t values_count;
    struct buffer samples;
    struct buffer ids;          /* encoded location ids of one stack */
    struct buffer label_field;  /* the encoded label of one sample */
    struct profile_label label; /* the last one, and the numbers of its strings */
    uint32_t label_key;
    uint32_t label_value;
    bool of_its_own; /* nothing of this profile is kept */
    bool failed;     /* memory ran out: the contents are not valid */
};

/* When more bytes than this are kept, all are dropped: a program that makes new stacks
 * without end must not fill the memory. */
#define KEPT_BYTES_MAX ((size_t)(32 * MIB))

static struct profile_writer the_writer;
static pthread_mutex_t writer_lock = PTHREAD_MUTEX_INITIALIZER;

static bool values_all_zero(const int64_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (values[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Writes a sample. Location ids and values are repeated numbers, each packed into one
 * field; the ids are already encoded. A profile has thousands of samples, so this
 * writes the bytes directly and builds no message in between. */
static void sample_write(struct profile_writer *writer, const void *ids,
                         size_t ids_bytes, const int64_t *values,
                         const struct buffer *label)
{
    size_t label_bytes = label == NULL ? 0 : label->length;
    unsigned char packed[STACK_VALUES * WIRE_VARINT_MAX];
    unsigned char *packed_end = packed;
    for (size_t i = 0; i < writer->values_count; i++) {
        packed_end = probe_wire_put(packed_end, (uint64_t)values[i]);
    }
    size_t packed_bytes = (size_t)(packed_end - packed);

    unsigned char head[2 * WIRE_VARINT_MAX];
    unsigned char *head_end =
        probe_wire_put(head, SAMPLE_LOCATION_ID << 3 | WIRE_BYTES);
    head_end = probe_wire_put(head_end, ids_bytes);
    size_t head_bytes = (size_t)(head_end - head);

    /* The field of the values is short: one byte of tag and one byte of length. */
    size_t bytes = head_bytes + ids_bytes + 2 + packed_bytes + label_bytes;
    unsigned char *start =
        (unsigned char *)buffer_reserve(&writer->samples, bytes + 2 * WIRE_VARINT_MAX);
    if (start == NULL) {
        writer->failed = true;
        return;
    }
    unsigned char *at = probe_wire_put(start, PROFILE_SAMPLE << 3 | WIRE_BYTES);
    at = probe_wire_put(at, bytes);
    at = mempcpy(at, head, head_bytes);
    at = mempcpy(at, ids, ids_bytes);
    *at++ = SAMPLE_VALUE << 3 | WIRE_BYTES;
    *at++ = (unsigned char)packed_bytes;
    at = mempcpy(at, packed, packed_bytes);
    if (label_bytes > 0) {
        at = mempcpy(at, label->data, label_bytes);
    }
    buffer_extend(&writer->samples, (size_t)(at - start));
}

/* Encodes the ids of the frames' locations. */
static void location_ids_write(struct profile_writer *writer, const uintptr_t *frames,
                               size_t depth, struct buffer *ids)
{
    for (size_t i = 0; i < depth; i++) {
        probe_wire_varint(ids,
                          probe_dictionary_location(&writer->dictionary, frames[i]));
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
    sample_write(writer, ids->data, ids->length, values, NULL);
    writer->failed |= ids->error != 0;
}

bool probe_profile_add_known(struct profile_writer *writer, const char *key,
                             size_t key_bytes, const int64_t *values)
{
    const struct known_stack *known =
        probe_known_stacks_find(&writer->known, key, key_bytes);
    if (known != NULL && !values_all_zero(values, writer->values_count)) {
        sample_write(writer, probe_known_stacks_ids(&writer->known, known),
                     known->ids_bytes, values, NULL);
    }
    return known != NULL;
}

void probe_profile_add_as(struct profile_writer *writer, const char *key,
                          size_t key_bytes, const uintptr_t *frames, size_t depth,
                          const int64_t *values)
{
    struct buffer *ids = &writer->ids;
    buffer_clear(ids);
    location_ids_write(writer, frames, depth, ids);
    if (ids->error != 0 || probe_known_stacks_add(&writer->known, key, key_bytes,
                                                  ids->data, ids->length) != 0) {
        writer->failed = true;
        return;
    }
    probe_profile_add_known(writer, key, key_bytes, values);
}

uint32_t probe_profile_place(struct profile_writer *writer, uintptr_t address)
{
    return probe_dictionary_location(&writer->dictionary, address);
}

uint32_t probe_profile_place_named(struct profile_writer *writer, const char *name,
                                   const char *file, unsigned line)
{
    struct dictionary *dictionary = &writer->dictionary;
    writer->of_its_own = true;
    uint32_t file_string = probe_dictionary_string(dictionary, file);
    uint32_t function = probe_dictionary_function(dictionary, name, file_string);
    return probe_dictionary_place(dictionary, 0, 0, function, line);
}

/* Encodes a sample's label: two numbers of strings, in a message of its own. */
static void label_write(struct profile_writer *writer,
                        const struct profile_label *label)
{
    struct dictionary *dictionary = &writer->dictionary;
    writer->of_its_own = true;
    if (writer->label.key != label->key) {
        writer->label.key = label->key;
        writer->label_key = probe_dictionary_string(dictionary, label->key);
    }
    if (writer->label.value != label->value) {
        writer->label.value = label->value;
        writer->label_value = probe_dictionary_string(dictionary, label->value);
    }
    probe_wire_number(&dictionary->message, LABEL_KEY, writer->label_key);
    probe_wire_number(&dictionary->message, LABEL_STRING, writer->label_value);
    probe_wire_message(&writer->label_field, SAMPLE_LABEL, &dictionary->message);
}

void probe_profile_add_places(struct profile_writer *writer, const uint32_t *places,
                              size_t count, const int64_t *values,
                              const struct profile_label *label)
{
    if (values_all_zero(values, writer->values_count)) {
        return;
    }
    buffer_clear(&writer->ids);
    buffer_clear(&writer->label_field);
    for (size_t i = 0; i < count; i++) {
        probe_wire_varint(&writer->ids, places[i]);
    }
    if (label != NULL) {
        label_write(writer, label);
    }
    sample_write(writer, writer->ids.data, writer->ids.length, values,
                 &writer->label_field);
    writer->failed |= writer->ids.error != 0 || writer->label_field.error != 0;
}

static void writer_release(struct profile_writer *writer)
{
    probe_dictionary_release(&writer->dictionary);
    probe_known_stacks_release(&writer->known);
    buffer_release(&writer->samples);
    buffer_release(&writer->ids);
    buffer_release(&writer->label_field);
    *writer = (struct profile_writer){0};
}

struct profile_writer *probe_profile_begin(size_t values_count)
{
    pthread_mutex_lock(&writer_lock);
    /* An error is ignored: a profile with missing names is still useful. */
    probe_symbols_load();
    struct profile_writer *writer = &the_writer;
    size_t kept =
        writer->known.bytes.length + probe_dictionary_bytes(&writer->dictionary);
    if (kept == 0 || kept > KEPT_BYTES_MAX ||
        writer->modules_read != probe_symbols_modules_read()) {
        writer_release(writer);
        writer->modules_read = probe_symbols_modules_read();
        probe_dictionary_init(&writer->dictionary);
    }
    writer->values_count = values_count;
    writer->known.last = 0;
    return writer;
}

/* Unlocks the writer. After a failure everything that was kept is dropped. */
static void writer_leave(struct profile_writer *writer)
{
    if (writer->failed || writer->dictionary.failed || writer->of_its_own) {
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
    probe_wire_number(&writer->dictionary.message, VALUE_TYPE_TYPE,
                      probe_dictionary_string(&writer->dictionary, type->type));
    probe_wire_number(&writer->dictionary.message, VALUE_TYPE_UNIT,
                      probe_dictionary_string(&writer->dictionary, type->unit));
    probe_wire_message(profile, field, &writer->dictionary.message);
}

static void description_write(struct profile_writer *writer,
                              const struct profile_description *description,
                              struct buffer *profile)
{
    for (size_t i = 0; i < writer->values_count; i++) {
        type_write(writer, profile, PROFILE_SAMPLE_TYPE, &description->types[i]);
    }
    type_write(writer, profile, PROFILE_PERIOD_TYPE, &description->period_type);
    probe_wire_number(profile, PROFILE_PERIOD, (uint64_t)description->period);
    probe_wire_number(profile, PROFILE_TIME_NANOS, (uint64_t)description->time_ns);
    probe_wire_number(profile, PROFILE_DURATION_NANOS,
                      (uint64_t)description->duration_ns);
    probe_wire_number(
        profile, PROFILE_COMMENT,
        probe_dictionary_string(&writer->dictionary, description->comment));
    probe_wire_number(
        profile, PROFILE_DEFAULT_SAMPLE_TYPE,
        probe_dictionary_string(&writer->dictionary, description->default_type));
}

static void rest_write(struct profile_writer *writer,
                       const struct profile_description *description)
{
    if (description->rest_name == NULL ||
        values_all_zero(description->rest, writer->values_count)) {
        return;
    }
    uint32_t function =
        probe_dictionary_function(&writer->dictionary, description->rest_name, 0);
    buffer_clear(&writer->ids);
    probe_wire_varint(&writer->ids,
                      probe_dictionary_place(&writer->dictionary, 0, 0, function, 0));
    sample_write(writer, writer->ids.data, writer->ids.length, description->rest, NULL);
}

int probe_profile_end(struct profile_writer *writer,
                      const struct profile_description *description,
                      struct buffer *ret_profile)
{
    struct dictionary *dictionary = &writer->dictionary;
    struct dictionary_mark mark = probe_dictionary_mark(dictionary);
    description_write(writer, description, ret_profile);
    rest_write(writer, description);
    /* Reserve the whole size at once: growing in steps would copy the data many
     * times. */
    buffer_reserve(ret_profile, writer->samples.length + dictionary->mappings.length +
                                    probe_dictionary_bytes(dictionary));
    writer->failed |= writer->samples.error != 0;
    buffer_append(ret_profile, writer->samples.data, writer->samples.length);
    probe_dictionary_append(dictionary, ret_profile);
    probe_dictionary_cut(dictionary, &mark);
    if (writer->failed || dictionary->failed) {
        ret_profile->error = -ENOMEM;
    }
    /* Something may have failed on its way into the profile alone. */
    int error = ret_profile->error;
    writer->failed |= error != 0;
    writer_leave(writer);
    return error;
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
    return (int64_t)now.tv_sec * CLOCK_NS_PER_SECOND + now.tv_nsec;
}
