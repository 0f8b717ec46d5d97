/*
 * cJSON gets an allocator that notes, for each thread, whether an allocation failed.
 */
#include "probe/http/json.h"

#include <stdbool.h>
#include <stdlib.h>

static _Thread_local bool memory_was_short;

static void *json_memory(size_t bytes)
{
    void *memory = malloc(bytes);
    if (memory == NULL) {
        memory_was_short = true;
    }
    return memory;
}

void probe_json_prepare(void)
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

cJSON *probe_json_add_object(cJSON *array)
{
    return append(array, cJSON_CreateObject());
}

void probe_json_add_string(cJSON *array, const char *text)
{
    append(array, cJSON_CreateString(text));
}

char *probe_json_finish(cJSON *json)
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
