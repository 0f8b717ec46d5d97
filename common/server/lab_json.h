/*
 * The lab's JSON, built with cJSON: complete, or not sent at all. cJSON accepts a NULL
 * that one of its own functions returned when memory was short, so callers need not
 * check each call. But then a part of the text is missing; this module remembers that
 * an allocation failed.
 */
#ifndef LAB_SERVER_LAB_JSON_H
#define LAB_SERVER_LAB_JSON_H

#include <cjson/cJSON.h>

#include "probe/http/reply.h"

/* Call it once, before any other function of cJSON. */
void lab_json_prepare(void);

/* Appends an empty object to `array` and returns it; the array owns it. NULL when
 * memory is short. */
cJSON *lab_json_add_object(cJSON *array);

/* Appends a string to `array`, like lab_json_add_object. */
void lab_json_add_string(cJSON *array, const char *text);

/* Deletes `json` and returns its text, which the caller frees. NULL if memory was short
 * for any part of it. A thread builds one JSON at a time: each ends with this call. */
char *lab_json_finish(cJSON *json);

/* Replies with `json`, indented, and deletes it. If it is NULL, or memory was short for
 * any part of it, replies that memory is short (503). */
void lab_json_reply(struct reply *reply, int status, cJSON *json);

#endif
