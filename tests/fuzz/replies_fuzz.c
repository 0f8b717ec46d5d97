/*
 * Fuzzes the judge's readers of JSON replies, and checks what they promise about
 * the texts: names that fit into a path, files that stay below the directory, answers
 * that are printable.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "leakcheck/measure/locks_reply.h"
#include "leakcheck/measure/replies.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void scenarios_try(const char *text, size_t size)
{
    struct arena arena = {0};
    struct scenario_info *list;
    size_t count;
    struct failure failure = {""};
    if (scenarios_parse(&list, &count, &arena, text, size, &failure) == 0) {
        for (size_t i = 0; i < count; i++) {
            if (strpbrk(list[i].name, "/?&%. ") != NULL || list[i].name[0] == '\0' ||
                strstr(list[i].files[0], "/.") != NULL || list[i].files[1][0] == '/') {
                abort();
            }
        }
    }
    arena_release(&arena);
}

/* An answer that is given can be shown as it is. */
static void answer_try(const char *text, size_t size)
{
    struct answer answer;
    struct failure failure = {""};
    if (answer_parse(&answer, text, size, &failure) < 0) {
        return;
    }
    size_t length = strnlen(answer.text, ANSWER_MAX);
    bool plain = length < ANSWER_MAX;
    for (size_t i = 0; i < length; i++) {
        plain = plain && answer.text[i] >= ' ' && answer.text[i] <= '~';
    }
    if (!plain || (length > 0) != (answer.kind == ANSWER_GIVEN)) {
        abort();
    }
}

/* Threads are the kernel's numbers. */
static void locks_try(const char *text, size_t size)
{
    struct arena arena = {0};
    struct locks_reply reply;
    struct failure failure = {""};
    if (locks_parse(&reply, &arena, text, size, &failure) == 0) {
        for (size_t i = 0; i < reply.deadlock_count; i++) {
            if (reply.deadlocks[i].count == 0 || reply.deadlocks[i].threads[0] < 1) {
                abort();
            }
        }
    } else if (failure.text[0] == '\0') {
        abort();
    }
    arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct failure failure = {""};
    struct status status;
    struct resources declared;
    struct reply_error error;
    status_parse(&status, text, size, "thread-loop", &failure);
    leak_parse(&declared, NULL, text, size, &failure);
    answer_try(text, size);
    reply_error_parse(&error, text, size);
    scenarios_try(text, size);
    locks_try(text, size);
    return 0;
}
