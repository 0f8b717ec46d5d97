/*
 * Lines, numbers, stacks, comments and mappings of the profile texts.
 */
#include "profile_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX (INT64_MAX / 1024)
#define LINE_NUMBER_MAX 100000000
#define AMOUNT_MAX (INT64_MAX / 4)

bool reader_next_line(struct profile_reader *reader, struct span *ret_line)
{
    struct span *rest = &reader->rest;
    if (rest->at == rest->end) {
        return false;
    }
    const char *newline = memchr(rest->at, '\n', (size_t)(rest->end - rest->at));
    ret_line->at = rest->at;
    ret_line->end = newline == NULL ? rest->end : newline;
    rest->at = newline == NULL ? rest->end : newline + 1;
    reader->line++;
    return true;
}

bool span_blank(struct span *span)
{
    while (span->at < span->end &&
           (*span->at == ' ' || *span->at == '\t' || *span->at == '\r')) {
        span->at++;
    }
    return span->at == span->end;
}

bool span_starts(struct span span, const char *word)
{
    size_t length = strlen(word);
    return (size_t)(span.end - span.at) >= length && memcmp(span.at, word, length) == 0;
}

bool span_word(struct span *span, const char *word)
{
    struct span after = *span;
    span_blank(&after);
    if (!span_starts(after, word)) {
        return false;
    }
    span->at = after.at + strlen(word);
    return true;
}

bool span_number(struct span *span, int64_t *ret_number)
{
    struct span after = *span;
    span_blank(&after);
    const char *first = after.at;
    int64_t number = 0;
    while (after.at < after.end && *after.at >= '0' && *after.at <= '9') {
        if (number > NUMBER_MAX / 10) {
            return false;
        }
        number = number * 10 + (*after.at - '0');
        after.at++;
    }
    if (after.at == first) {
        return false;
    }
    span->at = after.at;
    *ret_number = number;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* At most 16 digits of a hexadecimal number, without "0x". */
static bool span_hex(struct span *span, uint64_t *ret_number)
{
    const char *first = span->at;
    uint64_t number = 0;
    while (span->at < span->end && hex_digit(*span->at) >= 0) {
        if (span->at - first == 16) {
            return false;
        }
        number = number << 4 | (uint64_t)hex_digit(*span->at);
        span->at++;
    }
    *ret_number = number;
    return span->at > first;
}

bool span_address(struct span *span, uint64_t *ret_address)
{
    struct span after = *span;
    if (!span_word(&after, "0x") || !span_hex(&after, ret_address)) {
        return false;
    }
    span->at = after.at;
    return true;
}

/* Makes room for one item more in an array that doubles. */
static int array_reserve(void **array, size_t *capacity, size_t count,
                         size_t item_bytes)
{
    if (count < *capacity) {
        return 0;
    }
    size_t larger = *capacity == 0 ? 64 : *capacity * 2;
    void *grown = realloc(*array, larger * item_bytes);
    if (grown == NULL) {
        return -ENOMEM;
    }
    *array = grown;
    *capacity = larger;
    return 0;
}

int reader_add_record(struct profile_reader *reader, struct span line,
                      const struct amounts *amounts)
{
    struct profile *profile = &reader->profile;
    uint64_t addresses[STACK_DEPTH_MAX];
    size_t depth = 0;
    while (!span_blank(&line)) {
        if (depth == STACK_DEPTH_MAX || !span_address(&line, &addresses[depth])) {
            return -EPROTO;
        }
        depth++;
    }
    void *records = profile->records;
    if (array_reserve(&records, &reader->record_capacity, profile->count,
                      sizeof(*profile->records)) < 0) {
        return -ENOMEM;
    }
    profile->records = records;
    uint64_t *kept = arena_alloc(&profile->arena, sizeof(*kept) * (depth + 1));
    if (kept == NULL) {
        return -ENOMEM;
    }
    memcpy(kept, addresses, sizeof(*kept) * depth);
    profile->records[profile->count++] =
        (struct record){.amounts = *amounts, .addresses = kept, .depth = depth};
    reader->frame_capacity = 0;
    return 0;
}

/* Cuts "file:line" into its two parts; a text without a line is no file. */
static int location_read(struct arena *arena, struct span text, struct frame *frame)
{
    const char *colon = text.end;
    while (colon > text.at && colon[-1] != ':') {
        colon--;
    }
    struct span digits = {colon, text.end};
    int64_t line = 0;
    if (colon <= text.at + 1 || !span_number(&digits, &line) || !span_blank(&digits) ||
        line > LINE_NUMBER_MAX) {
        return 0;
    }
    frame->file = arena_text(arena, text.at, (size_t)(colon - 1 - text.at));
    frame->line = (unsigned)line;
    return frame->file == NULL ? -ENOMEM : 0;
}

/* Cuts the offset off "function+0x12". */
static struct span function_trim(struct span text)
{
    while (text.end > text.at && (text.end[-1] == ' ' || text.end[-1] == '\t')) {
        text.end--;
    }
    const char *plus = text.end;
    while (plus > text.at && hex_digit(plus[-1]) >= 0) {
        plus--;
    }
    if (plus - text.at > 3 && plus < text.end && memcmp(plus - 3, "+0x", 3) == 0) {
        text.end = plus - 3;
    }
    return text;
}

/* Room for one frame more in the newest record; the arena keeps the outgrown ones,
 * which is at most as much again. */
static struct frame *record_frame_add(struct profile_reader *reader)
{
    struct profile *profile = &reader->profile;
    struct record *record = &profile->records[profile->count - 1];
    if (record->frame_count == reader->frame_capacity) {
        size_t capacity = reader->frame_capacity == 0 ? 16 : reader->frame_capacity * 2;
        struct frame *frames = arena_alloc(&profile->arena, sizeof(*frames) * capacity);
        if (frames == NULL) {
            return NULL;
        }
        if (record->frame_count > 0) {
            memcpy(frames, record->frames, sizeof(*frames) * record->frame_count);
        }
        record->frames = frames;
        reader->frame_capacity = capacity;
    }
    return &record->frames[record->frame_count++];
}

/* Reads "function+0x12\tfile:line". Names may hold blanks, so tabs separate, as in Go;
 * without any, the place is the last word, if it is a place. A library that is known by
 * its path only stands there without a line, and is no file of source. */
static int comment_read(struct arena *arena, struct span text, struct frame *frame)
{
    const char *cut = memchr(text.at, '\t', (size_t)(text.end - text.at));
    bool tabs = cut != NULL;
    if (!tabs) {
        cut = text.end;
        while (cut > text.at && cut[-1] != ' ') {
            cut--;
        }
    }
    struct span place = {cut, text.end};
    span_blank(&place);
    while (place.end > place.at && (place.end[-1] == '\r' || place.end[-1] == ' ')) {
        place.end--;
    }
    if (location_read(arena, place, frame) < 0) {
        return -ENOMEM;
    }
    struct span name = {text.at, tabs || frame->file != NULL ? cut : text.end};
    name = function_trim(name);
    frame->function = arena_text(arena, name.at, (size_t)(name.end - name.at));
    return frame->function == NULL ? -ENOMEM : 0;
}

int reader_add_comment(struct profile_reader *reader, struct span line)
{
    struct profile *profile = &reader->profile;
    uint64_t address;
    if (profile->count == 0 || !span_word(&line, "#") ||
        !span_address(&line, &address)) {
        return 0;
    }
    struct frame frame = {.address = address};
    if (!span_blank(&line)) {
        if (comment_read(&profile->arena, line, &frame) < 0) {
            return -ENOMEM;
        }
    }
    struct frame *kept = record_frame_add(reader);
    if (kept == NULL) {
        return -ENOMEM;
    }
    *kept = frame;
    return 0;
}

/* "55d0-55e0 r-xp 00000000 08:01 1234 /usr/bin/x", or Go's and gperftools' like. */
static bool mapping_read(struct span line, struct span *ret_path,
                         struct mapping *ret_mapping)
{
    span_blank(&line);
    if (!span_hex(&line, &ret_mapping->start) || !span_word(&line, "-") ||
        !span_hex(&line, &ret_mapping->end)) {
        return false;
    }
    const char *slash = memchr(line.at, '/', (size_t)(line.end - line.at));
    if (slash == NULL) {
        return false;
    }
    *ret_path = (struct span){slash, line.end};
    return true;
}

int reader_add_mappings(struct profile_reader *reader)
{
    struct profile *profile = &reader->profile;
    struct span line;
    while (reader_next_line(reader, &line)) {
        struct mapping mapping;
        struct span path;
        if (!mapping_read(line, &path, &mapping)) {
            continue;
        }
        mapping.path =
            arena_text(&profile->arena, path.at, (size_t)(path.end - path.at));
        void *mappings = profile->mappings;
        if (mapping.path == NULL ||
            array_reserve(&mappings, &reader->mapping_capacity, profile->mapping_count,
                          sizeof(mapping)) < 0) {
            return -ENOMEM;
        }
        profile->mappings = mappings;
        profile->mappings[profile->mapping_count++] = mapping;
    }
    return 0;
}

/* Amounts come from outside: their sum stops short of overflow. */
static void amount_add(int64_t *sum, int64_t more)
{
    *sum = more > AMOUNT_MAX - *sum ? AMOUNT_MAX : *sum + more;
}

/* Brings the records into order and joins those with equal stacks. */
static void records_join(struct profile *profile)
{
    if (profile->count == 0) {
        return;
    }
    qsort(profile->records, profile->count, sizeof(*profile->records), record_compare);
    size_t last = 0;
    for (size_t i = 1; i < profile->count; i++) {
        struct record *kept = &profile->records[last];
        const struct record *next = &profile->records[i];
        if (record_compare(kept, next) != 0) {
            profile->records[++last] = *next;
            continue;
        }
        amount_add(&kept->amounts.inuse_objects, next->amounts.inuse_objects);
        amount_add(&kept->amounts.inuse_bytes, next->amounts.inuse_bytes);
        amount_add(&kept->amounts.alloc_objects, next->amounts.alloc_objects);
        amount_add(&kept->amounts.alloc_bytes, next->amounts.alloc_bytes);
        if (kept->frame_count == 0) {
            kept->frames = next->frames;
            kept->frame_count = next->frame_count;
        }
    }
    profile->count = last + 1;
}

int reader_deliver(struct profile_reader *reader, int result,
                   struct profile *ret_profile, struct failure *failure)
{
    if (result == -ENOMEM) {
        failure_set(failure, ENOMEM, "out of memory");
    }
    if (result < 0) {
        profile_release(&reader->profile);
        return result;
    }
    records_join(&reader->profile);
    *ret_profile = reader->profile;
    return 0;
}
