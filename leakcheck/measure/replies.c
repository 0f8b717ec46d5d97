/*
 * A number that is missing, negative or too large counts as missing. In a text, bytes
 * that are not printable ASCII are replaced.
 */
#include "leakcheck/measure/replies.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "leakcheck/measure/json.h"

#define SCENARIOS_MAX 1000

/* Writes why the reply to `path` cannot be used: its size, or `reason`. */
static int reply_refuse(size_t length, const char *path, const char *reason,
                        struct failure *failure)
{
    if (length > REPLY_JSON_MAX) {
        return failure_set(failure, EPROTO, "the reply to %s is larger than %d MiB",
                           path, (int)(REPLY_JSON_MAX / MIB));
    }
    return failure_set(failure, EPROTO, "the reply to %s %s", path, reason);
}

static const char *text_keep(struct arena *arena, const char *text)
{
    const char *kept = arena_text(arena, text, strlen(text));
    return kept == NULL ? "" : kept;
}

/* Reads heap and stack, and the counts, under the servers' names for them. */
static struct resources resources_get(const cJSON *object, int64_t fallback)
{
    struct resources resources;
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        resources.amount[i] = fallback;
    }
    resources.amount[RESOURCE_HEAP] = json_number(object, "heap_bytes", fallback);
    resources.amount[RESOURCE_RSS] = json_number(object, "stack_bytes", fallback);
    resources.amount[RESOURCE_THREADS] = json_number(object, "threads", fallback);
    resources.amount[RESOURCE_FDS] = json_number(object, "fds", fallback);
    resources.amount[RESOURCE_TIMERS] = json_number(object, "timers", fallback);
    resources.amount[RESOURCE_MAPPINGS] = json_number(object, "mappings", fallback);
    resources.amount[RESOURCE_CHILDREN] = json_number(object, "children", fallback);
    return resources;
}

int status_parse(struct status *ret_status, const char *text, size_t length,
                 const char *growing, struct failure *failure)
{
    cJSON *root = json_parse(text, length, REPLY_JSON_MAX);
    const cJSON *memory = cJSON_GetObjectItemCaseSensitive(root, "memory");
    if (!cJSON_IsObject(memory) || json_number(root, "threads", UNKNOWN) == UNKNOWN) {
        cJSON_Delete(root);
        return reply_refuse(length, "/status", "is not what a server of the lab says",
                            failure);
    }
    struct status status = {.now = resources_get(root, UNKNOWN)};
    snprintf(status.server, sizeof(status.server), "%s", json_text(root, "server"));
    status.pid = json_number(root, "pid", UNKNOWN);
    status.now.amount[RESOURCE_HEAP] = json_number(memory, "alloc_bytes", UNKNOWN);
    status.now.amount[RESOURCE_TOTAL] =
        json_number(memory, "total_alloc_bytes", UNKNOWN);
    status.now.amount[RESOURCE_RSS] = json_number(memory, "rss_bytes", UNKNOWN);
    status.limits =
        resources_get(cJSON_GetObjectItemCaseSensitive(root, "limits"), UNKNOWN);
    status.has_mappings = cJSON_GetObjectItemCaseSensitive(root, "mappings") != NULL;
    status.has_children = cJSON_GetObjectItemCaseSensitive(root, "children") != NULL;
    if (growing != NULL) {
        const cJSON *scenarios = cJSON_GetObjectItemCaseSensitive(root, "scenarios");
        const cJSON *scenario = cJSON_GetObjectItemCaseSensitive(scenarios, growing);
        status.growing_held = json_number(scenario, "held", 0);
    }
    *ret_status = status;
    cJSON_Delete(root);
    return 0;
}

/* Names become part of request paths: only letters, digits and '-' are allowed. */
static bool name_is_plain(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return length > 0 && length < 64 && name[length] == '\0';
}

/* These files are opened: no absolute path, no "..", no hidden file. */
static bool path_is_plain(const char *path)
{
    if (path[0] == '/' || path[0] == '.' || strlen(path) > 200) {
        return false;
    }
    for (const char *c = path; *c != '\0'; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                      (*c >= '0' && *c <= '9') || strchr("_-./", *c) != NULL;
        if (!letter || (*c == '/' && (c[1] == '.' || c[1] == '/' || c[1] == '\0'))) {
            return false;
        }
    }
    return true;
}

static void bytes_parameter_get(const cJSON *item, struct scenario_info *info)
{
    const cJSON *parameter;
    info->bytes_default = UNKNOWN;
    info->bytes_min = 1;
    info->bytes_max = UNKNOWN;
    cJSON_ArrayForEach(parameter, cJSON_GetObjectItemCaseSensitive(item, "parameters"))
    {
        if (strcmp(json_text(parameter, "name"), "bytes") == 0) {
            info->bytes_default = json_number(parameter, "default", UNKNOWN);
            info->bytes_min = json_number(parameter, "min", 1);
            info->bytes_max = json_number(parameter, "max", UNKNOWN);
        }
    }
}

static bool kind_get(const cJSON *item, enum kind *ret_kind)
{
    static const char *const names[] = {"permanent", "temporary", "churn"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(json_text(item, "kind"), names[i]) == 0) {
            *ret_kind = (enum kind)i;
            return true;
        }
    }
    return false;
}

static bool scenario_read(const cJSON *item, struct scenario_info *info,
                          struct arena *arena)
{
    if (!name_is_plain(json_text(item, "name")) || !kind_get(item, &info->kind)) {
        return false;
    }
    info->name = text_keep(arena, json_text(item, "name"));
    info->family = text_keep(arena, json_text(item, "family"));
    info->title = text_keep(arena, json_text(item, "title"));
    info->story = text_keep(arena, json_text(item, "story"));
    info->cause = text_keep(arena, json_text(item, "cause"));
    info->fix = text_keep(arena, json_text(item, "fix"));
    info->suspect = text_keep(arena, json_text(item, "suspect"));
    const cJSON *files = cJSON_GetObjectItemCaseSensitive(item, "files");
    for (int i = 0; i < 2; i++) {
        const cJSON *file = cJSON_GetArrayItem(files, i);
        bool plain = cJSON_IsString(file) && path_is_plain(file->valuestring);
        info->files[i] = text_keep(arena, plain ? file->valuestring : "");
    }
    info->leaves = resources_get(cJSON_GetObjectItemCaseSensitive(item, "leaves"), 0);
    info->holds = resources_get(cJSON_GetObjectItemCaseSensitive(item, "holds"), 0);
    info->allocates_bytes = json_number(item, "allocates_bytes", 0);
    info->growth_bytes_per_second = json_number(item, "growth_bytes_per_second", 0);
    bytes_parameter_get(item, info);
    return true;
}

int scenarios_parse(struct scenario_info **ret_scenarios, size_t *ret_count,
                    struct arena *arena, const char *text, size_t length,
                    struct failure *failure)
{
    cJSON *root = json_parse(text, length, REPLY_JSON_MAX);
    int count = cJSON_IsArray(root) ? cJSON_GetArraySize(root) : 0;
    struct scenario_info *list = NULL;
    if (count > 0 && count <= SCENARIOS_MAX) {
        list = arena_alloc(arena, sizeof(*list) * (size_t)count);
    }
    const cJSON *item;
    const cJSON *items = list == NULL ? NULL : root;
    size_t read = 0;
    cJSON_ArrayForEach(item, items)
    {
        if (!scenario_read(item, &list[read], arena)) {
            break;
        }
        read++;
    }
    cJSON_Delete(root);
    if (list == NULL || read != (size_t)count) {
        return reply_refuse(length, "/scenarios", "is no list of scenarios", failure);
    }
    *ret_scenarios = list;
    *ret_count = read;
    return 0;
}

int leak_parse(struct resources *ret_declared, const struct resources *fallback,
               const char *text, size_t length, struct failure *failure)
{
    cJSON *root = json_parse(text, length, REPLY_JSON_MAX);
    const cJSON *declared = cJSON_GetObjectItemCaseSensitive(root, "declared");
    int error = 0;
    if (cJSON_IsObject(declared)) {
        *ret_declared = resources_get(declared, 0);
    } else if (cJSON_IsObject(root) && declared == NULL && fallback != NULL) {
        *ret_declared = *fallback;
    } else {
        error =
            reply_refuse(length, "/leak", "does not say what it left behind", failure);
    }
    cJSON_Delete(root);
    return error;
}

/* Whether a text can be kept whole and shown as it is. */
static bool answer_is_plain(const char *text)
{
    size_t length = 0;
    while (text[length] >= ' ' && text[length] <= '~') {
        length++;
    }
    return length > 0 && length < ANSWER_MAX && text[length] == '\0';
}

int answer_parse(struct answer *ret_answer, const char *text, size_t length,
                 struct failure *failure)
{
    cJSON *root = json_parse(text, length, REPLY_JSON_MAX);
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, "answer");
    const char *reason = NULL;
    struct answer answer = {.kind = ANSWER_GIVEN};
    if (!cJSON_IsObject(root)) {
        reason = "is no JSON object";
    } else if (memmem(text, length, "\\u0000", strlen("\\u0000")) != NULL) {
        reason = "has a text with a zero byte, which would be cut";
    } else if (item == NULL) {
        answer.kind = ANSWER_MISSING;
    } else if (cJSON_IsNull(item)) {
        answer.kind = ANSWER_UNFINISHED;
    } else if (cJSON_IsString(item) && answer_is_plain(item->valuestring)) {
        snprintf(answer.text, sizeof(answer.text), "%s", item->valuestring);
    } else {
        reason = "has an answer that is neither null nor a short, printable text";
    }
    if (reason == NULL) {
        *ret_answer = answer;
    }
    cJSON_Delete(root);
    return reason == NULL ? 0 : reply_refuse(length, "/leak", reason, failure);
}

/* The texts are not cleaned here: failure_set does so before they are shown. */
void reply_error_parse(struct reply_error *ret_error, const char *text, size_t length)
{
    *ret_error = (struct reply_error){0};
    cJSON *root = json_parse(text, length, REPLY_JSON_MAX);
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(root, "error");
    snprintf(ret_error->code, sizeof(ret_error->code), "%s", json_text(error, "code"));
    snprintf(ret_error->message, sizeof(ret_error->message), "%s",
             json_text(error, "message"));
    snprintf(ret_error->hint, sizeof(ret_error->hint), "%s", json_text(error, "hint"));
    cJSON_Delete(root);
}
