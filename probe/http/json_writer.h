/*
 * Writes JSON straight into a buffer, so it allocates nothing that a heap
 * profile would contain, and costs little. It is laid out as cJSON_Print does it: a
 * member a line, indented with tabs. The buffer keeps the first error.
 */
#ifndef PROBE_HTTP_JSON_WRITER_H
#define PROBE_HTTP_JSON_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

/* Lives in memory that the caller owns. */
struct json_writer {
    struct buffer *text;
    unsigned depth;   /* of objects and arrays that are not yet closed */
    bool has_members; /* whether the innermost of them has any */
};

/* Opens the outermost object, in a buffer of the caller's. */
void probe_json_begin(struct json_writer *json, struct buffer *text);

/* Closes the outermost object, and ends its line. */
void probe_json_end(struct json_writer *json);

/* Opens an object as the next member. What follows is part of it, until it is
 * closed. */
void probe_json_open(struct json_writer *json, const char *name);
void probe_json_close(struct json_writer *json);

/* The same with an array outermost. Its items follow one another on a line. */
void probe_json_begin_array(struct json_writer *json, struct buffer *text);
void probe_json_end_array(struct json_writer *json);

/* Opens an array as the next member. What follows are its items, until it is closed. */
void probe_json_open_array(struct json_writer *json, const char *name);
void probe_json_close_array(struct json_writer *json);

/* The next item of an array: a text, a number; or an object, which probe_json_close
 * closes. */
void probe_json_item_text(struct json_writer *json, const char *value);
void probe_json_item_number(struct json_writer *json, uint64_t value);
void probe_json_item_open(struct json_writer *json);

/* Each of these writes the next member of the innermost object. Any bytes in a name or
 * a text are made valid: see json_string.h. */
void probe_json_text(struct json_writer *json, const char *name, const char *value);
void probe_json_number(struct json_writer *json, const char *name, uint64_t value);
void probe_json_null(struct json_writer *json, const char *name);
void probe_json_bool(struct json_writer *json, const char *name, bool value);

/* A number given in thousandths: 1500 becomes 1.5. */
void probe_json_thousandths(struct json_writer *json, const char *name, uint64_t value);

#endif
