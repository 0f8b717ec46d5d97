/*
 * Tests of the judge's reader of profile.proto. The profiles are written here, field by
 * field; they share no code with the writer in probe/.
 */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/buffer.h"
#include "leakcheck/judge/blame.h"
#include "leakcheck/measure/gunzip.h"
#include "leakcheck/measure/profile_parse.h"
#include "proto_writer.h"

/* The strings of all profiles here, by index. */
enum text {
    NONE,
    INUSE_SPACE,
    INUSE_OBJECTS,
    ALLOC_SPACE,
    ALLOC_OBJECTS,
    BYTES,
    COUNT,
    SPACE,
    OBJECTS,
    THREADS,
    KEEP,
    KEEP_FILE,
    MAIN,
    MALLOC,
    PROGRAM,
    LIBRARY,
    GO_MAIN,
    TEXTS
};
static const char *const texts[TEXTS] = {"",
                                         "inuse_space",
                                         "inuse_objects",
                                         "alloc_space",
                                         "alloc_objects",
                                         "bytes",
                                         "count",
                                         "space",
                                         "objects",
                                         "threads",
                                         "keep",
                                         "/srv/app/keep.c",
                                         "main",
                                         "malloc",
                                         "/srv/app/server",
                                         "/usr/lib/libc.so.6",
                                         "runtime.main"};

/* Puts a message of numbers: pairs of field and value, ended by field 0. */
static void message_put(struct buffer *to, unsigned field, const uint64_t *numbers)
{
    struct buffer message = {0};
    for (; numbers[0] != 0; numbers += 2) {
        proto_number(&message, (unsigned)numbers[0], numbers[1]);
    }
    proto_bytes(to, field, message.data, message.length);
    buffer_release(&message);
}

#define MESSAGE(to, field, ...)                                                        \
    message_put(to, field, (const uint64_t[]){__VA_ARGS__, 0, 0})

static void texts_put(struct buffer *to)
{
    for (int i = 0; i < TEXTS; i++) {
        proto_bytes(to, 6, texts[i], strlen(texts[i]));
    }
}

/* A location with one line, or with none if `function` is 0. */
static void location_put(struct buffer *to, uint64_t id, uint64_t address,
                         uint64_t function, uint64_t line)
{
    struct buffer message = {0};
    proto_number(&message, 1, id);
    if (address != 0) {
        proto_number(&message, 3, address);
    }
    if (function != 0) {
        MESSAGE(&message, 4, 1, function, 2, line);
    }
    proto_bytes(to, 4, message.data, message.length);
    buffer_release(&message);
}

static void functions_put(struct buffer *to)
{
    MESSAGE(to, 5, 1, 1, 2, KEEP, 4, KEEP_FILE);
    MESSAGE(to, 5, 1, 2, 2, MAIN, 4, KEEP_FILE);
    MESSAGE(to, 5, 1, 3, 3, MALLOC); /* with a system name alone */
    MESSAGE(to, 5, 1, 4, 2, GO_MAIN);
}

/* A C program's profile, with all four values, in an order that is not the usual one;
 * locations are packed, values are not. */
static void c_profile(struct buffer *to, uint64_t period)
{
    *to = (struct buffer){0};
    MESSAGE(to, 1, 1, INUSE_SPACE, 2, BYTES);
    MESSAGE(to, 1, 1, ALLOC_OBJECTS, 2, COUNT);
    MESSAGE(to, 1, 1, INUSE_OBJECTS, 2, COUNT);
    MESSAGE(to, 1, 1, ALLOC_SPACE, 2, BYTES);
    struct buffer sample = {0};
    proto_bytes(&sample, 1, "\x07\x08\x09", 3);
    proto_number(&sample, 2, 500);
    proto_number(&sample, 2, 30);
    proto_number(&sample, 2, 5);
    proto_number(&sample, 2, 3000);
    proto_bytes(to, 2, sample.data, sample.length);
    buffer_release(&sample);
    location_put(to, 7, 0x8010, 3, 0);
    location_put(to, 8, 0x1010, 1, 12);
    location_put(to, 9, 0x1110, 2, 30);
    functions_put(to);
    MESSAGE(to, 3, 1, 1, 2, 0x1000, 3, 0x2000, 4, 0x400, 5, PROGRAM);
    MESSAGE(to, 3, 1, 2, 2, 0x8000, 3, 0x9000, 5, LIBRARY);
    MESSAGE(to, 11, 1, SPACE, 2, BYTES);
    proto_number(to, 12, period);
    texts_put(to);
}

/* Node's profile: "objects" and "space", no addresses, and a mapping without a path. */
static void node_profile(struct buffer *to, uint64_t bytes)
{
    *to = (struct buffer){0};
    MESSAGE(to, 1, 1, OBJECTS, 2, COUNT);
    MESSAGE(to, 1, 1, SPACE, 2, BYTES);
    MESSAGE(to, 2, 1, 1, 1, 2, 2, 1, 2, bytes);
    MESSAGE(to, 3, 1, 1);
    location_put(to, 1, 0, 1, 12);
    location_put(to, 2, 0, 2, 30);
    functions_put(to);
    MESSAGE(to, 11, 1, SPACE, 2, BYTES);
    proto_number(to, 12, 524288);
    texts_put(to);
}

static int parse(struct profile *profile, const struct buffer *bytes, bool threads,
                 struct failure *failure)
{
    *profile = (struct profile){0};
    return threads ? profile_parse_threads(profile, bytes->data, bytes->length, failure)
                   : profile_parse_heap(profile, bytes->data, bytes->length, failure);
}

/* Parses; releases the bytes. */
static struct profile parsed(struct buffer *bytes, bool threads)
{
    struct profile profile;
    struct failure failure = {""};
    if (parse(&profile, bytes, threads, &failure) < 0) {
        fail_msg("%s", failure.text);
    }
    buffer_release(bytes);
    return profile;
}

/* Refused, with a reason that has these words; releases the bytes. */
static void refused(struct buffer *bytes, bool threads, const char *words)
{
    struct profile profile;
    struct failure failure = {""};
    assert_int_equal(parse(&profile, bytes, threads, &failure), -EPROTO);
    if (strstr(failure.text, words) == NULL) {
        fail_msg("'%s' does not say '%s'", failure.text, words);
    }
    buffer_release(bytes);
}

static void values_are_found_by_name(void **state)
{
    (void)state;
    struct buffer bytes;
    c_profile(&bytes, 1);
    struct profile profile = parsed(&bytes, false);
    assert_int_equal(profile.format, PROFILE_EXACT);
    assert_int_equal(profile.count, 1);
    const struct amounts *amounts = &profile.records[0].amounts;
    assert_int_equal(amounts->inuse_objects, 5);
    assert_int_equal(amounts->inuse_bytes, 500);
    assert_int_equal(amounts->alloc_objects, 30);
    assert_int_equal(amounts->alloc_bytes, 3000);
    assert_int_equal(profile.totals.inuse_bytes, 500);
    assert_int_equal(profile.totals.alloc_bytes, 3000);
    profile_release(&profile);
}

static void stacks_have_names_and_mappings(void **state)
{
    (void)state;
    struct buffer bytes;
    c_profile(&bytes, 1);
    struct profile profile = parsed(&bytes, false);
    const struct record *record = &profile.records[0];
    assert_int_equal(record->depth, 3);
    assert_int_equal(record->frame_count, 3);
    assert_string_equal(record->frames[0].function, "malloc");
    assert_null(record->frames[0].file);
    assert_string_equal(record->frames[1].function, "keep");
    assert_string_equal(record->frames[1].file, "/srv/app/keep.c");
    assert_int_equal(record->frames[1].line, 12);
    /* One more than the call's address, as in the text formats. */
    assert_int_equal(record->addresses[1], 0x1011);
    assert_int_equal(profile.mapping_count, 2);
    assert_int_equal(profile.mappings[0].offset, 0x400);
    assert_true(profile_in_program(&profile, 0x1010));
    assert_false(profile_in_program(&profile, 0x8010));
    profile_release(&profile);
}

/* The program's mapping is the first that is written, wherever it lies. */
static void the_program_is_the_first_mapping(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    MESSAGE(&bytes, 1, 1, INUSE_SPACE, 2, BYTES);
    MESSAGE(&bytes, 3, 1, 1, 2, 0x8000, 3, 0x9000, 5, PROGRAM);
    MESSAGE(&bytes, 3, 1, 2, 2, 0x1000, 3, 0x2000, 5, LIBRARY);
    MESSAGE(&bytes, 3, 1, 3, 2, 0x1800, 3, 0x2800, 5, LIBRARY); /* overlaps */
    texts_put(&bytes);
    struct profile profile = parsed(&bytes, false);
    assert_int_equal(profile.mapping_count, 2);
    assert_true(profile_in_program(&profile, 0x8010));
    assert_false(profile_in_program(&profile, 0x1010));
    profile_release(&profile);
}

/* Without addresses, a stack is the same in two profiles if its names are. */
static void a_program_without_addresses_is_blamed(void **state)
{
    (void)state;
    struct buffer bytes;
    node_profile(&bytes, 1000);
    struct profile base = parsed(&bytes, false);
    node_profile(&bytes, 5000);
    struct profile last = parsed(&bytes, false);
    assert_int_equal(base.format, PROFILE_SAMPLED_PROTO);
    assert_int_equal(base.period, 524288);
    assert_int_equal(base.mapping_count, 0);
    assert_int_equal(base.totals.alloc_bytes, base.totals.inuse_bytes);
    struct blame blame;
    struct failure failure = {""};
    const struct blame_question question = {
        .what = BLAME_IN_USE, .base = &base, .last = &last};
    assert_int_equal(blame_find(&blame, &question, &failure), 0);
    assert_string_equal(blame.function, "keep");
    assert_int_equal(blame.line, 12);
    assert_int_equal(blame.growth, 4000);
    profile_release(&base);
    profile_release(&last);
}

/* A profile that does not say how it samples is not taken for an exact one. */
static void an_unknown_period_is_the_usual_one(void **state)
{
    (void)state;
    struct buffer bytes;
    c_profile(&bytes, 0);
    struct profile profile = parsed(&bytes, false);
    assert_int_equal(profile.format, PROFILE_SAMPLED_PROTO);
    assert_int_equal(profile.period, 524288);
    profile_release(&profile);
}

static void threads_are_counted(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    MESSAGE(&bytes, 1, 1, THREADS, 2, COUNT);
    MESSAGE(&bytes, 2, 1, 1, 2, 40);
    MESSAGE(&bytes, 2, 1, 2, 2, 2);
    MESSAGE(&bytes, 2, 1, 1, 2, 3); /* the same stack with another label */
    location_put(&bytes, 1, 0x1010, 1, 5);
    location_put(&bytes, 2, 0x1110, 4, 6);
    functions_put(&bytes);
    texts_put(&bytes);
    struct profile profile = parsed(&bytes, true);
    assert_int_equal(profile.format, PROFILE_THREADS);
    assert_int_equal(profile.totals.inuse_objects, 45);
    assert_int_equal(profile.count, 2);
    assert_int_equal(profile.records[0].amounts.inuse_objects, 43);
    assert_true(profile.is_go);
    profile_release(&profile);
    c_profile(&bytes, 1);
    refused(&bytes, true, "no thread profile");
}

static void addresses_alone_have_no_frames(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    MESSAGE(&bytes, 1, 1, INUSE_SPACE, 2, BYTES);
    MESSAGE(&bytes, 2, 1, 1, 2, 40);
    location_put(&bytes, 1, 0x1010, 0, 0);
    texts_put(&bytes);
    struct profile profile = parsed(&bytes, false);
    assert_int_equal(profile.records[0].depth, 1);
    assert_int_equal(profile.records[0].frame_count, 0);
    assert_false(profile.is_go);
    profile_release(&profile);
}

/* Packs `bytes` with gzip; releases them. */
static struct buffer packed(struct buffer *bytes)
{
    struct buffer result = {0};
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, 0), Z_OK);
    size_t room = deflateBound(&stream, bytes->length);
    stream.next_in = (Bytef *)bytes->data;
    stream.avail_in = (uInt)bytes->length;
    stream.next_out = (Bytef *)buffer_reserve(&result, room);
    stream.avail_out = (uInt)room;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    buffer_extend(&result, room - stream.avail_out);
    deflateEnd(&stream);
    buffer_release(bytes);
    return result;
}

static void gzip_is_unpacked(void **state)
{
    (void)state;
    struct buffer bytes;
    c_profile(&bytes, 1);
    bytes = packed(&bytes);
    struct profile profile = parsed(&bytes, false);
    assert_int_equal(profile.totals.inuse_bytes, 500);
    profile_release(&profile);
}

static void damaged_gzip_is_refused(void **state)
{
    (void)state;
    struct buffer bytes;
    c_profile(&bytes, 1);
    bytes = packed(&bytes);
    struct buffer cut = {0};
    buffer_append(&cut, bytes.data, bytes.length - 5);
    refused(&cut, false, "cannot be unpacked");
    bytes.data[bytes.length / 2] ^= 0x55;
    refused(&bytes, false, "");
}

/* A few KiB that become more than is allowed. */
static void a_bomb_is_refused(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    struct failure failure = {""};
    char *unpacked = NULL;
    size_t length = 0;
    memset(buffer_reserve(&bytes, 1 << 20), 0, 1 << 20);
    buffer_extend(&bytes, 1 << 20);
    bytes = packed(&bytes);
    assert_true(bytes.length < 4096);
    assert_int_equal(
        gunzip(bytes.data, bytes.length, 1 << 20, &unpacked, &length, &failure), 0);
    assert_int_equal(length, 1 << 20);
    free(unpacked);
    assert_int_equal(
        gunzip(bytes.data, bytes.length, (1 << 20) - 1, &unpacked, &length, &failure),
        -EPROTO);
    assert_non_null(strstr(failure.text, "too long"));
    buffer_release(&bytes);
}

/* Every profile that is cut short is refused, or is a smaller whole one; nothing
 * crashes. Its texts come last, so no cut one has all that it refers to. */
static void a_cut_profile_is_refused(void **state)
{
    (void)state;
    struct buffer bytes;
    c_profile(&bytes, 1);
    for (size_t length = 40; length < bytes.length - 30; length++) {
        struct buffer cut = {0};
        buffer_append(&cut, bytes.data, length);
        refused(&cut, false, "cannot be read");
    }
    buffer_release(&bytes);
}

static void bad_numbers_are_refused(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    MESSAGE(&bytes, 1, 1, INUSE_SPACE, 2, BYTES);
    MESSAGE(&bytes, 2, 2, (uint64_t)-5);
    texts_put(&bytes);
    refused(&bytes, false, "cannot be true: -5");
    MESSAGE(&bytes, 1, 1, INUSE_SPACE, 2, BYTES);
    MESSAGE(&bytes, 2, 2, (uint64_t)INT64_MAX);
    texts_put(&bytes);
    refused(&bytes, false, "cannot be true");
    MESSAGE(&bytes, 1, 1, INUSE_SPACE, 2, BYTES);
    MESSAGE(&bytes, 2, 1, 77, 2, 5); /* no such location */
    texts_put(&bytes);
    refused(&bytes, false, "cannot be read");
    MESSAGE(&bytes, 1, 1, 999, 2, BYTES); /* no such text */
    texts_put(&bytes);
    refused(&bytes, false, "cannot be read");
    MESSAGE(&bytes, 1, 1, INUSE_SPACE, 2, BYTES);
    MESSAGE(&bytes, 2, 1, 1); /* no values */
    location_put(&bytes, 1, 0x1010, 0, 0);
    texts_put(&bytes);
    refused(&bytes, false, "cannot be read");
}

static void other_profiles_are_refused(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    MESSAGE(&bytes, 1, 1, ALLOC_SPACE, 2, BYTES);
    texts_put(&bytes);
    refused(&bytes, false, "not what is in use");
    MESSAGE(&bytes, 1, 1, THREADS, 2, COUNT);
    texts_put(&bytes);
    refused(&bytes, false, "no heap profile");
    MESSAGE(&bytes, 1, 1, INUSE_SPACE, 2, COUNT);
    texts_put(&bytes);
    refused(&bytes, false, "not in bytes");
}

static void text_is_no_proto(void **state)
{
    (void)state;
    static const char *const are_not[] = {"heap profile: 1: 2 [3: 4] @ heapprofile\n",
                                          "<!DOCTYPE html>", "{\"error\": 1}", "",
                                          "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"};
    for (size_t i = 0; i < sizeof(are_not) / sizeof(are_not[0]); i++) {
        assert_false(profile_is_proto(are_not[i], strlen(are_not[i])));
    }
    struct buffer bytes;
    c_profile(&bytes, 1);
    assert_true(profile_is_proto(bytes.data, bytes.length));
    buffer_release(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_found_by_name),
        cmocka_unit_test(stacks_have_names_and_mappings),
        cmocka_unit_test(the_program_is_the_first_mapping),
        cmocka_unit_test(a_program_without_addresses_is_blamed),
        cmocka_unit_test(an_unknown_period_is_the_usual_one),
        cmocka_unit_test(threads_are_counted),
        cmocka_unit_test(addresses_alone_have_no_frames),
        cmocka_unit_test(gzip_is_unpacked),
        cmocka_unit_test(damaged_gzip_is_refused),
        cmocka_unit_test(a_bomb_is_refused),
        cmocka_unit_test(a_cut_profile_is_refused),
        cmocka_unit_test(bad_numbers_are_refused),
        cmocka_unit_test(other_profiles_are_refused),
        cmocka_unit_test(text_is_no_proto),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
