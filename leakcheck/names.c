/*
 * Names for a profile that has none.
 */
#include "names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The name after an address in a reply of lines "0x123\tname", or NULL. */
static const char *symbol_find(struct arena *arena, const char *text, uint64_t address)
{
    char key[32];
    snprintf(key, sizeof(key), "0x%llx\t", (unsigned long long)address);
    const char *line = strstr(text, key);
    if (line == NULL || (line != text && line[-1] != '\n')) {
        return NULL;
    }
    const char *name = line + strlen(key);
    return arena_text(arena, name, strcspn(name, "\r\n"));
}

/* Asks for the names of one record's functions and keeps them as its frames. */
static int record_name(struct server *server, struct profile *profile,
                       struct record *record, struct failure *failure)
{
    struct buffer question = {0};
    for (size_t i = 0; i < record->depth; i++) {
        /* A return address is behind its call: one less lies inside. */
        buffer_format(&question, "%s0x%llx", i == 0 ? "" : "+",
                      (unsigned long long)record->addresses[i] - 1);
    }
    int result = question.failed || question.data == NULL
                     ? -ENOMEM
                     : http_post(&server->http, "/pprof/symbol", question.data,
                                 &server->reply, failure);
    buffer_release(&question);
    if (result < 0 || server->reply.status != 200 || server->reply.body.length == 0) {
        return result;
    }
    record->frames = arena_alloc(&profile->arena, sizeof(struct frame) * record->depth);
    if (record->frames == NULL) {
        return failure_set(failure, ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < record->depth; i++) {
        record->frames[i].address = record->addresses[i];
        record->frames[i].function = symbol_find(
            &profile->arena, server->reply.body.data, record->addresses[i] - 1);
    }
    record->frame_count = record->depth;
    return 0;
}

int server_name_functions(struct server *server, struct profile *profile,
                          struct failure *failure)
{
    for (size_t i = 0; i < profile->count; i++) {
        struct record *record = &profile->records[i];
        if (record->frame_count > 0 || record->depth == 0) {
            continue;
        }
        int result = record_name(server, profile, record, failure);
        if (result < 0) {
            return result;
        }
        if (record->frame_count == 0) {
            return 0;
        }
    }
    return 0;
}
