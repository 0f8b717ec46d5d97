/*
 * JSON that is complete or not sent at all. cJSON accepts a NULL that one of its own
 * functions returned when memory was short, so callers need not check each call. But
 * then a part of the text is missing; this module remembers that an allocation failed.
 */
#ifndef PROBE_HTTP_JSON_H
#define PROBE_HTTP_JSON_H

#include <cjson/cJSON.h>

/* Call it once, before any other function of cJSON. */
void probe_json_prepare(void);

/* Appends an empty object to `array` and returns it; the array owns it. NULL when
 * memory is short. */
cJSON *probe_json_add_object(cJSON *array);

/* Appends a string to `array`, like probe_json_add_object. */
void probe_json_add_string(cJSON *array, const char *text);

/* Deletes `json` and returns its text, which the caller frees. NULL if memory was short
 * for any part of it. A thread builds one JSON at a time: each ends with this call. */
char *probe_json_finish(cJSON *json);

#endif
