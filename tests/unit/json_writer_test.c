/*
 * Tests of the JSON writer: it prints what cJSON prints of the same members, and keeps
 * numbers exact that a double cannot hold.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/http/json_writer.h"
#include "unit.h"

/* Fails unless the writer's text is the same as cJSON's, and a newline. */
static void assert_same(struct buffer *text, cJSON *json)
{
    char *expected = cJSON_Print(json);
    assert_int_equal(text->error, 0);
    assert_int_equal(text->data[text->length - 1], '\n');
    text->data[text->length - 1] = '\0';
    assert_string_equal(text->data, expected);
    free(expected);
    cJSON_Delete(json);
    buffer_release(text);
}

static void looks_like_cjson(void **state)
{
    (void)state;
    struct buffer text = {0};
    struct json_writer json;
    probe_json_begin(&json, &text);
    probe_json_text(&json, "server", "leaky");
    probe_json_open(&json, "memory");
    probe_json_number(&json, "in_use", 10485760);
    probe_json_open(&json, "nothing");
    probe_json_close(&json);
    probe_json_null(&json, "frees");
    probe_json_close(&json);
    probe_json_number(&json, "zero", 0);
    probe_json_end(&json);

    cJSON *same = cJSON_CreateObject();
    cJSON_AddStringToObject(same, "server", "leaky");
    cJSON *memory = cJSON_AddObjectToObject(same, "memory");
    cJSON_AddNumberToObject(memory, "in_use", 10485760);
    cJSON_AddObjectToObject(memory, "nothing");
    cJSON_AddNullToObject(memory, "frees");
    cJSON_AddNumberToObject(same, "zero", 0);
    assert_same(&text, same);
}

static void an_object_may_be_empty(void **state)
{
    (void)state;
    struct buffer text = {0};
    struct json_writer json;
    probe_json_begin(&json, &text);
    probe_json_end(&json);
    assert_same(&text, cJSON_CreateObject());
}

static void every_byte_is_written_as_cjson_writes_it(void **state)
{
    (void)state;
    char bytes[256];
    for (int i = 0; i < 255; i++) {
        bytes[i] = (char)(i + 1);
    }
    bytes[255] = '\0';
    struct buffer text = {0};
    struct json_writer json;
    probe_json_begin(&json, &text);
    probe_json_text(&json, "bytes", bytes);
    probe_json_number(&json, bytes, 1);
    probe_json_text(&json, "", "");
    probe_json_end(&json);

    cJSON *same = cJSON_CreateObject();
    cJSON_AddStringToObject(same, "bytes", bytes);
    cJSON_AddNumberToObject(same, bytes, 1);
    cJSON_AddStringToObject(same, "", "");
    assert_same(&text, same);
}

static void thousandths_have_no_zeros_at_their_end(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        const char *text;
    } cases[] = {
        {0, "0"},          {1, "0.001"},
        {10, "0.01"},      {100, "0.1"},
        {1000, "1"},       {1500, "1.5"},
        {12340, "12.34"},  {12345, "12.345"},
        {10001, "10.001"}, {UINT64_MAX, "18446744073709551.615"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer text = {0};
        struct json_writer json;
        probe_json_begin(&json, &text);
        probe_json_thousandths(&json, "t", cases[i].value);
        probe_json_end(&json);
        char expected[64];
        snprintf(expected, sizeof(expected), "{\n\t\"t\":\t%s\n}\n", cases[i].text);
        assert_string_equal(text.data, expected);
        buffer_release(&text);
    }
}

static void large_numbers_are_exact(void **state)
{
    (void)state;
    struct buffer text = {0};
    struct json_writer json;
    probe_json_begin(&json, &text);
    probe_json_number(&json, "n", UINT64_MAX);
    probe_json_number(&json, "m", 9007199254740993);
    probe_json_end(&json);
    assert_string_equal(
        text.data,
        "{\n\t\"n\":\t18446744073709551615,\n\t\"m\":\t9007199254740993\n}\n");
    buffer_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks_like_cjson),
        cmocka_unit_test(an_object_may_be_empty),
        cmocka_unit_test(every_byte_is_written_as_cjson_writes_it),
        cmocka_unit_test(thousandths_have_no_zeros_at_their_end),
        cmocka_unit_test(large_numbers_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
