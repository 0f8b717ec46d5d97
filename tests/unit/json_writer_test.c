/*
 * Tests of the JSON writer: it prints what cJSON prints of the same members, and keeps
 * numbers exact that a double cannot hold.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/http/json_string.h"
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

static void arrays_look_like_cjson_too(void **state)
{
    (void)state;
    static const char *const values[] = {"alloc_objects", "inuse_space"};
    struct buffer text = {0};
    struct json_writer json;
    probe_json_begin_array(&json, &text);
    cJSON *same = cJSON_CreateArray();
    for (int i = 0; i < 2; i++) {
        probe_json_item_open(&json);
        probe_json_text(&json, "name", "heap");
        probe_json_open_array(&json, "values");
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "name", "heap");
        cJSON *list = cJSON_AddArrayToObject(item, "values");
        for (int j = 0; j < 2 * i; j++) {
            probe_json_item_text(&json, values[j]);
            cJSON_AddItemToArray(list, cJSON_CreateString(values[j]));
        }
        probe_json_close_array(&json);
        probe_json_number(&json, "after", 1);
        cJSON_AddNumberToObject(item, "after", 1);
        probe_json_close(&json);
        cJSON_AddItemToArray(same, item);
    }
    probe_json_item_text(&json, "last");
    cJSON_AddItemToArray(same, cJSON_CreateString("last"));
    probe_json_end_array(&json);
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

static void every_character_is_written_as_cjson_writes_it(void **state)
{
    (void)state;
    char bytes[128 + 8];
    for (int i = 0; i < 127; i++) {
        bytes[i] = (char)(i + 1);
    }
    strcpy(bytes + 127, "\xc3\xb6 \xe2\x82\xac");
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

static void expect_json(const char *bytes, const char *expected)
{
    struct buffer text = {0};
    probe_json_string_part(&text, bytes, strlen(bytes));
    assert_string_equal(text.data == NULL ? "" : text.data, expected);
    buffer_release(&text);
}

static void any_bytes_are_a_valid_json_string(void **state)
{
    (void)state;
    expect_json("", "");
    expect_json("order 1", "order 1");
    expect_json("a\"b\\c</script>", "a\\\"b\\\\c</script>");
    expect_json("\x01\n\x7f", "\\u0001\\n\x7f");
    expect_json("gr\xc3\xb6\xc3\x9f"
                "e \xe2\x82\xac \xf0\x9f\x90\x9b",
                "gr\xc3\xb6\xc3\x9f"
                "e \xe2\x82\xac \xf0\x9f\x90\x9b");
    expect_json("\xff-\x80-\xc3", "\\ufffd-\\ufffd-\\ufffd");
    expect_json("\xc0\xaf", "\\ufffd\\ufffd");            /* longer than needed */
    expect_json("\xe0\x80\xaf", "\\ufffd\\ufffd\\ufffd"); /* the same */
    expect_json("\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"); /* a surrogate */
    expect_json("\xf4\x90\x80\x80!", "\\ufffd\\ufffd\\ufffd\\ufffd!");
    expect_json("cut \xe2\x82", "cut \\ufffd\\ufffd");
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
        cmocka_unit_test(arrays_look_like_cjson_too),
        cmocka_unit_test(an_object_may_be_empty),
        cmocka_unit_test(every_character_is_written_as_cjson_writes_it),
        cmocka_unit_test(any_bytes_are_a_valid_json_string),
        cmocka_unit_test(thousandths_have_no_zeros_at_their_end),
        cmocka_unit_test(large_numbers_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
