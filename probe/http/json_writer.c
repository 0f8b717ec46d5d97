#include "probe/http/json_writer.h"

#include <string.h>

#include "probe/http/json_string.h"

/* Appends a string in quotes. */
static void put_quoted(struct buffer *text, const char *value)
{
    buffer_append(text, "\"", 1);
    probe_json_string_part(text, value, strlen(value));
    buffer_append(text, "\"", 1);
}

/* Ends the line before, and indents the next. */
static void put_line(struct json_writer *json)
{
    static const char tabs[] = "\n\t\t\t\t\t\t\t\t";
    size_t length = json->depth < sizeof(tabs) - 1 ? json->depth : sizeof(tabs) - 2;
    buffer_append(json->text, tabs, 1 + length);
}

/* What comes before the value of the next member. */
static void put_name(struct json_writer *json, const char *name)
{
    if (json->has_members) {
        buffer_append(json->text, ",", 1);
    }
    json->has_members = true;
    put_line(json);
    put_quoted(json->text, name);
    buffer_append(json->text, ":\t", 2);
}

/* What comes before the next item of an array. */
static void put_item(struct json_writer *json)
{
    if (json->has_members) {
        buffer_append(json->text, ", ", 2);
    }
    json->has_members = true;
}

static void put_open(struct json_writer *json, const char *bracket)
{
    buffer_append(json->text, bracket, 1);
    json->depth++;
    json->has_members = false;
}

void probe_json_begin(struct json_writer *json, struct buffer *text)
{
    *json = (struct json_writer){.text = text};
    put_open(json, "{");
}

void probe_json_open(struct json_writer *json, const char *name)
{
    put_name(json, name);
    put_open(json, "{");
}

void probe_json_close(struct json_writer *json)
{
    json->depth--;
    put_line(json);
    buffer_append(json->text, "}", 1);
    json->has_members = true;
}

void probe_json_end(struct json_writer *json)
{
    probe_json_close(json);
    buffer_append(json->text, "\n", 1);
}

void probe_json_begin_array(struct json_writer *json, struct buffer *text)
{
    *json = (struct json_writer){.text = text};
    put_open(json, "[");
}

void probe_json_open_array(struct json_writer *json, const char *name)
{
    put_name(json, name);
    put_open(json, "[");
}

void probe_json_close_array(struct json_writer *json)
{
    json->depth--;
    buffer_append(json->text, "]", 1);
    json->has_members = true;
}

void probe_json_end_array(struct json_writer *json)
{
    probe_json_close_array(json);
    buffer_append(json->text, "\n", 1);
}

void probe_json_item_text(struct json_writer *json, const char *value)
{
    put_item(json);
    put_quoted(json->text, value);
}

void probe_json_item_number(struct json_writer *json, uint64_t value)
{
    put_item(json);
    buffer_number(json->text, value);
}

void probe_json_item_open(struct json_writer *json)
{
    put_item(json);
    put_open(json, "{");
}

void probe_json_text(struct json_writer *json, const char *name, const char *value)
{
    put_name(json, name);
    put_quoted(json->text, value);
}

void probe_json_number(struct json_writer *json, const char *name, uint64_t value)
{
    put_name(json, name);
    buffer_number(json->text, value);
}

void probe_json_null(struct json_writer *json, const char *name)
{
    put_name(json, name);
    buffer_append(json->text, "null", 4);
}

void probe_json_bool(struct json_writer *json, const char *name, bool value)
{
    put_name(json, name);
    buffer_text(json->text, value ? "true" : "false");
}

void probe_json_thousandths(struct json_writer *json, const char *name, uint64_t value)
{
    probe_json_number(json, name, value / 1000);
    unsigned rest = value % 1000;
    if (rest == 0) {
        return;
    }
    char digits[] = {'.', (char)('0' + rest / 100), (char)('0' + rest / 10 % 10),
                     (char)('0' + rest % 10)};
    size_t length = sizeof(digits);
    while (digits[length - 1] == '0') {
        length--;
    }
    buffer_append(json->text, digits, length);
}
