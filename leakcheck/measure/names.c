/*
 * Collects the addresses of all stacks without names, looks each address up once, and
 * then makes the frames of these stacks.
 */
#include "leakcheck/measure/names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "leakcheck/measure/binary.h"
#include "leakcheck/measure/profile_text.h"

#define SYMBOL_PATH "/pprof/symbol"
#define QUESTION_BYTES (60 * KIB) /* of a request's body: servers accept 64 KiB */
#define QUESTIONS_MAX 200         /* about 800,000 addresses */

/* The addresses of the stacks without names, sorted, each once. An address is one less
 * than on the stack: a return address is after its call, and the call may be the last
 * instruction of its function. */
struct names {
    struct frame *frames;
    size_t count;
    size_t named; /* how many the server has named */
};

static bool is_nameless(const struct record *record)
{
    return record->frame_count == 0 && record->depth > 0;
}

static uint64_t call_address(uint64_t return_address)
{
    return return_address == 0 ? 0 : return_address - 1;
}

static int address_compare(const void *left, const void *right)
{
    uint64_t a = ((const struct frame *)left)->address;
    uint64_t b = ((const struct frame *)right)->address;
    return a == b ? 0 : a < b ? -1 : 1;
}

static int names_collect(struct names *names, const struct profile *profile)
{
    size_t room = 0;
    for (size_t i = 0; i < profile->count; i++) {
        room += is_nameless(&profile->records[i]) ? profile->records[i].depth : 0;
    }
    if (room == 0) {
        return 0;
    }
    names->frames = calloc(room, sizeof(*names->frames));
    if (names->frames == NULL) {
        return -ENOMEM;
    }
    size_t count = 0;
    for (size_t i = 0; i < profile->count; i++) {
        const struct record *record = &profile->records[i];
        for (size_t j = 0; is_nameless(record) && j < record->depth; j++) {
            names->frames[count++].address = call_address(record->addresses[j]);
        }
    }
    qsort(names->frames, count, sizeof(*names->frames), address_compare);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 ||
            names->frames[i].address != names->frames[names->count - 1].address) {
            names->frames[names->count++] = names->frames[i];
        }
    }
    return 0;
}

static struct frame *names_find(const struct names *names, uint64_t address)
{
    struct frame key = {.address = address};
    return bsearch(&key, names->frames, names->count, sizeof(key), address_compare);
}

/* Parses a reply of lines "0x123\tname"; the input is not trusted. If a server knows no
 * name it repeats the address, or writes "??". */
static int reply_read(struct names *names, struct arena *arena,
                      const struct buffer *body)
{
    struct profile_reader reader = {.rest = {body->data, body->data + body->length}};
    struct span line;
    while (body->length > 0 && reader_next_line(&reader, &line)) {
        uint64_t address;
        if (!span_address(&line, &address) || span_blank(&line) ||
            span_starts(line, "0x") || span_starts(line, "??")) {
            continue;
        }
        struct frame *frame = names_find(names, address);
        if (frame == NULL || frame->function != NULL) {
            continue;
        }
        while (line.end[-1] == '\r' || line.end[-1] == ' ') {
            line.end--; /* stops at a character, because the line is not blank */
        }
        frame->function = arena_text(arena, line.at, (size_t)(line.end - line.at));
        if (frame->function == NULL) {
            return -ENOMEM;
        }
        names->named++;
    }
    return 0;
}

/* Asks for as many addresses as fit into one body, from *next on, and moves *next after
 * them. Returns -ENOENT, with the reason in `says`, if the reply is of no use. */
static int names_ask_some(struct server *server, struct profile *profile,
                          struct names *names, size_t *next, struct failure *says)
{
    struct buffer question = {0};
    while (*next < names->count && question.length < QUESTION_BYTES) {
        buffer_printf(&question, "%s0x%llx", question.length == 0 ? "" : "+",
                      (unsigned long long)names->frames[(*next)++].address);
    }
    if (question.error != 0) {
        buffer_release(&question);
        return -ENOMEM;
    }
    struct http_reply *reply = &server->reply;
    struct failure reason;
    int error = http_post(&server->http, SYMBOL_PATH, question.data, reply, &reason);
    buffer_release(&question);
    if (error < 0) {
        return failure_set(says, ENOENT, "gives no answer");
    }
    if (reply->status != 200) {
        return failure_set(says, ENOENT, "answers %ld", reply->status);
    }
    error = reply_read(names, &profile->arena, &reply->body);
    if (error == 0 && names->named == 0) {
        return failure_set(says, ENOENT, "names none of them");
    }
    return error;
}

/* Asks the server for all addresses; stops at the first request that fails. */
static int names_ask(struct server *server, struct profile *profile,
                     struct names *names, struct failure *says)
{
    size_t next = 0;
    int error = 0;
    for (int i = 0; i < QUESTIONS_MAX && next < names->count && error == 0; i++) {
        error = names_ask_some(server, profile, names, &next, says);
    }
    return error == -ENOENT ? 0 : error;
}

/* Makes the frames of a stack from the known names; no frames if no name is known. */
static int record_name(struct record *record, struct arena *arena,
                       const struct names *names)
{
    bool named = false;
    for (size_t i = 0; i < record->depth && !named; i++) {
        const struct frame *known =
            names_find(names, call_address(record->addresses[i]));
        named = known->function != NULL;
    }
    if (!named) {
        return 0;
    }
    struct frame *frames = arena_alloc(arena, sizeof(*frames) * record->depth);
    if (frames == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < record->depth; i++) {
        frames[i] = *names_find(names, call_address(record->addresses[i]));
        frames[i].address = record->addresses[i];
    }
    record->frames = frames;
    record->frame_count = record->depth;
    return 0;
}

static int names_give(struct profile *profile, const struct names *names)
{
    int error = 0;
    for (size_t i = 0; i < profile->count && error == 0; i++) {
        if (is_nameless(&profile->records[i])) {
            error = record_name(&profile->records[i], &profile->arena, names);
        }
    }
    return error;
}

/* Writes server->names_reason if no name was found. */
static void names_explain(struct server *server, const struct names *names,
                          const char *symbol_says, const char *binary_says)
{
    server->names_reason[0] = '\0';
    for (size_t i = 0; i < names->count; i++) {
        if (names->frames[i].function != NULL) {
            return;
        }
    }
    snprintf(server->names_reason, sizeof(server->names_reason),
             "the profile has addresses only, " SYMBOL_PATH " %.60s, and %.80s",
             symbol_says, binary_says);
}

int server_name_functions(struct server *server, struct profile *profile,
                          struct failure *failure)
{
    struct names names = {0};
    struct failure symbol_says = {""};
    struct failure binary_says = {"no --binary was given"};
    server->names_reason[0] = '\0';
    int error = names_collect(&names, profile);
    if (error == 0 && names.count > 0) {
        error = names_ask(server, profile, &names, &symbol_says);
        if (error == 0 && server->binary != NULL) {
            failure_set(&binary_says, 0, "%.80s names none of them", server->binary);
            int read = binary_name(server->binary, profile, names.frames, names.count,
                                   &binary_says);
            error = read == -ENOMEM ? read : 0;
        }
        if (error == 0) {
            error = names_give(profile, &names);
            names_explain(server, &names, symbol_says.text, binary_says.text);
        }
    }
    free(names.frames);
    return error < 0 ? failure_set(failure, -error, "out of memory") : 0;
}
