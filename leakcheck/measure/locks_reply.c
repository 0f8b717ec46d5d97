#include "leakcheck/measure/locks_reply.h"

#include <errno.h>
#include <string.h>

#include "leakcheck/measure/json.h"

#define THREAD_MAX 4194304 /* the kernel's maximum: proc_sys_kernel(5) */

/* Appends the number of a thread; the group has room for it. */
static int thread_add(struct lock_group *group, const cJSON *thread)
{
    if (!cJSON_IsNumber(thread) || !(thread->valuedouble >= 1) ||
        thread->valuedouble > THREAD_MAX) {
        return -EPROTO;
    }
    group->threads[group->count++] = (int64_t)thread->valuedouble;
    return 0;
}

/* Makes room for as many threads as the list has items, at most `most`. */
static int group_make(const cJSON *list, struct arena *arena, size_t most,
                      struct lock_group *ret_group)
{
    int count = cJSON_GetArraySize(list);
    if (!cJSON_IsArray(list) || (size_t)count > most) {
        return -EPROTO;
    }
    *ret_group = (struct lock_group){
        .threads = arena_alloc(arena, sizeof(int64_t) * ((size_t)count + 1))};
    return ret_group->threads == NULL ? -ENOMEM : 0;
}

static int numbers_read(const cJSON *list, struct arena *arena, size_t most,
                        struct lock_group *ret_group)
{
    int error = group_make(list, arena, most, ret_group);
    const cJSON *items = error == 0 ? list : NULL;
    const cJSON *thread;
    cJSON_ArrayForEach(thread, items)
    {
        error = error == 0 ? thread_add(ret_group, thread) : error;
    }
    return error;
}

/* Reads the numbers of threads. `*left` is how many there may be. */
static int group_read(const cJSON *item, struct arena *arena, size_t *left,
                      struct lock_group *ret_group)
{
    const cJSON *threads = cJSON_GetObjectItemCaseSensitive(item, "threads");
    struct lock_group group;
    int error = numbers_read(threads, arena, *left, &group);
    if (error == 0 && group.count == 0) {
        error = -EPROTO;
    }
    if (error == 0) {
        *left -= group.count;
        *ret_group = group;
    }
    return error;
}

/* Reads which of the waiting threads never go on. */
static int stuck_read(const cJSON *root, struct arena *arena,
                      struct lock_group *ret_stuck)
{
    const cJSON *waits = cJSON_GetObjectItemCaseSensitive(root, "waits");
    int error = group_make(waits, arena, LOCKS_GROUPS_MAX, ret_stuck);
    const cJSON *items = error == 0 ? waits : NULL;
    const cJSON *wait;
    cJSON_ArrayForEach(wait, items)
    {
        const char *verdict = json_text(wait, "verdict");
        if (error == 0 && strcmp(verdict, "waits") != 0) {
            error = verdict[0] == '\0'
                        ? -EPROTO
                        : thread_add(ret_stuck,
                                     cJSON_GetObjectItemCaseSensitive(wait, "tid"));
        }
    }
    return error;
}

/* Reads the numbers of all threads, and of those that never go on. */
static int threads_read(const cJSON *root, struct arena *arena,
                        struct locks_reply *reply)
{
    const cJSON *all = cJSON_GetObjectItemCaseSensitive(root, "threads");
    reply->lists_threads = all != NULL;
    if (all == NULL) {
        return 0;
    }
    int error = numbers_read(all, arena, LOCKS_GROUPS_MAX, &reply->threads);
    return error == 0 ? stuck_read(root, arena, &reply->stuck) : error;
}

/* Reads a list of groups. */
static int groups_read(const cJSON *root, const char *name, struct arena *arena,
                       size_t *left, struct lock_group **ret_groups, size_t *ret_count)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, name);
    int count = cJSON_GetArraySize(list);
    if (!cJSON_IsArray(list) || (size_t)count > *left) {
        return -EPROTO;
    }
    *ret_groups = arena_alloc(arena, sizeof(**ret_groups) * ((size_t)count + 1));
    if (*ret_groups == NULL) {
        return -ENOMEM;
    }
    const cJSON *item;
    int error = 0;
    *ret_count = 0;
    cJSON_ArrayForEach(item, list)
    {
        error = error == 0 ? group_read(item, arena, left, &(*ret_groups)[*ret_count])
                           : error;
        *ret_count += error == 0;
    }
    return error;
}

/* A reply that does not measure says why. */
static int unmeasured_refuse(const cJSON *root, struct failure *failure)
{
    const char *reason = json_text(root, "reason");
    return failure_set(failure, EPROTO, "the waits for locks are not noted%s%.120s",
                       reason[0] == '\0' ? "" : ": ", reason);
}

int locks_parse(struct locks_reply *ret_reply, struct arena *arena, const char *text,
                size_t length, struct failure *failure)
{
    cJSON *root = json_parse(text, length, LOCKS_JSON_MAX);
    struct locks_reply reply = {.deadlocks = NULL};
    size_t left = LOCKS_GROUPS_MAX;
    const cJSON *measured = cJSON_GetObjectItemCaseSensitive(root, "measured");
    int error = cJSON_IsBool(measured) ? 0 : -EPROTO;
    if (error == 0 && cJSON_IsFalse(measured)) {
        error = unmeasured_refuse(root, failure);
        cJSON_Delete(root);
        return error;
    }
    if (error == 0) {
        error = groups_read(root, "deadlocks", arena, &left, &reply.deadlocks,
                            &reply.deadlock_count);
    }
    if (error == 0) {
        error = groups_read(root, "never_released", arena, &left, &reply.never_released,
                            &reply.never_released_count);
    }
    if (error == 0) {
        error = threads_read(root, arena, &reply);
    }
    cJSON_Delete(root);
    if (error == 0) {
        *ret_reply = reply;
        return 0;
    }
    if (error == -ENOMEM) {
        return failure_set(failure, ENOMEM, "out of memory");
    }
    return failure_set(failure, EPROTO,
                       "it is no list of deadlocks and of locks never released, or is "
                       "too long");
}
