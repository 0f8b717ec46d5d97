#include "leakcheck/measure/json.h"

#include <pthread.h>

#define NUMBER_MAX 9e15 /* above this a double is not exact */

cJSON *json_parse(const char *text, size_t length, size_t most)
{
    if (length == 0 || length > most) {
        return NULL;
    }
    /* cJSON keeps the position of an error in a static variable. */
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    cJSON *root = cJSON_ParseWithLength(text, length);
    pthread_mutex_unlock(&lock);
    return root;
}

int64_t json_number(const cJSON *object, const char *name, int64_t fallback)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0) ||
        item->valuedouble > NUMBER_MAX) {
        return fallback;
    }
    return (int64_t)item->valuedouble;
}

const char *json_text(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsString(item) ? item->valuestring : "";
}
