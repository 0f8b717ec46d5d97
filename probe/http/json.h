/*
 * JSON that is whole or not there at all. cJSON takes the NULL that it returned itself
 * when memory was short, so a handler need not check each call; but then a part of the
 * text would be missing. This module remembers that an allocation failed.
 */
#ifndef PROBE_HTTP_JSON_H
#define PROBE_HTTP_JSON_H

#include <cjson/cJSON.h>

/* To be called once, before any other function of cJSON. */
void probe_json_prepare(void);

/* Appends an empty object to `array` and returns it; the array owns it. NULL when
 * memory is short. */
cJSON *probe_json_add_object(cJSON *array);

/* Appends a string to `array`, like probe_json_add_object. */
void probe_json_add_string(cJSON *array, const char *text);

/* Deletes `json` and returns its text, to be freed by the caller. NULL if memory was
 * short for any part of it. It must be the only JSON that this thread has made since it
 * called probe_json_finish last. */
char *probe_json_finish(cJSON *json);

#endif
