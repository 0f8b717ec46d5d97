/*
 * JSON that is not trusted, with cJSON.
 */
#ifndef LEAKCHECK_MEASURE_JSON_H
#define LEAKCHECK_MEASURE_JSON_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

/* The tree, which the caller frees with cJSON_Delete. NULL if the text is not JSON, or
 * is longer than `most` bytes: a tree needs many times the memory of its text. Any
 * thread may call it. */
cJSON *json_parse(const char *text, size_t length, size_t most);

/* A whole number from 0 to 9e15; `fallback` if there is none. */
int64_t json_number(const cJSON *object, const char *name, int64_t fallback);

/* A text, as it came; "" if there is none. It belongs to the tree. */
const char *json_text(const cJSON *object, const char *name);

#endif
