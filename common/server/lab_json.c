/*
 * cJSON gets an allocator that notes, for each thread, whether an allocation failed.
 */
#include "server/lab_json.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local bool memory_was_short;

static void *json_memory(size_t bytes)
{
    void *memory = malloc(bytes);
    if (memory == NULL) {
        memory_was_short = true;
    }
    return memory;
}

void lab_json_prepare(void)
{
    cJSON_Hooks hooks = {.malloc_fn = json_memory, .free_fn = free};
    cJSON_InitHooks(&hooks);
}

/* cJSON does not take ownership of an item that it could not append. */
static cJSON *append(cJSON *array, cJSON *item)
{
    if (!cJSON_AddItemToArray(array, item)) {
        cJSON_Delete(item);
        return NULL;
    }
    return item;
}

cJSON *lab_json_add_object(cJSON *array)
{
    return append(array, cJSON_CreateObject());
}

void lab_json_add_string(cJSON *array, const char *text)
{
    append(array, cJSON_CreateString(text));
}

char *lab_json_finish(cJSON *json)
{
    char *text = cJSON_Print(json);
    cJSON_Delete(json);
    bool whole = json != NULL && !memory_was_short;
    memory_was_short = false;
    if (!whole) {
        free(text);
        text = NULL;
    }
    return text;
}

void lab_json_reply(struct reply *reply, int status, cJSON *json)
{
    char *text = lab_json_finish(json);
    if (text == NULL) {
        probe_reply_no_memory(reply);
        return;
    }
    size_t length = strlen(text);
    text[length] = '\n'; /* in place of the '\0': a reply ends its last line */
    probe_reply_text(reply, status, REPLY_JSON, text, length + 1);
}
