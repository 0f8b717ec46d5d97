/*
 * Each function moves its span past what it has read. If it finds something else, the
 * span does not change.
 */
#include "leakcheck/measure/profile_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/amount.h"
#include "base/number.h"
#include "base/size.h"

#define NUMBER_MAX (INT64_MAX / KIB)
#define LINE_NUMBER_MAX 100000000

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
    uint64_t number;
    const char *end = number_scan(after.at, after.end, &number);
    if (end == NULL || number > NUMBER_MAX) {
        return false;
    }
    span->at = end;
    *ret_number = (int64_t)number;
    return true;
}

/* Reads a hexadecimal number without "0x". */
static bool span_hex(struct span *span, uint64_t *ret_number)
{
    const char *end = number_scan_hex(span->at, span->end, ret_number);
    if (end == NULL) {
        return false;
    }
    span->at = end;
    return true;
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

/* Makes room for one more item; the array doubles its size when it is full. */
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
    reader->address_count += depth;
    if (profile->count == PROFILE_RECORDS_MAX ||
        reader->address_count > PROFILE_FRAMES_MAX) {
        return -E2BIG;
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

/* Splits "file:line"; a text without a line is not a source file. */
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

/* Removes the offset from "function+0x12". */
static struct span function_trim(struct span text)
{
    while (text.end > text.at && (text.end[-1] == ' ' || text.end[-1] == '\t')) {
        text.end--;
    }
    const char *plus = text.end;
    while (plus > text.at && number_hex_digit(plus[-1]) >= 0) {
        plus--;
    }
    if (plus - text.at > 3 && plus < text.end && memcmp(plus - 3, "+0x", 3) == 0) {
        text.end = plus - 3;
    }
    return text;
}

/* Makes room for one more frame in the last record. The arena keeps the old, smaller
 * arrays; together they are at most as large as the new one. */
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

/* Reads "function+0x12\tfile:line". Names can contain blanks, so the separator is a
 * tab, as in Go. Without a tab, the last word is used if it has the form "file:line". A
 * library's path has no line, and is not taken as a source file. */
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
    if (reader->frame_count == PROFILE_FRAMES_MAX) {
        return -E2BIG;
    }
    reader->frame_count++;
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

/* Reads "55d0-55e0 r-xp 00000000 08:01 1234 /usr/bin/x", as Go and gperftools write
 * it. */
static bool mapping_read(struct span line, struct span *ret_path,
                         struct mapping *ret_mapping)
{
    span_blank(&line);
    if (!span_hex(&line, &ret_mapping->start) || !span_word(&line, "-") ||
        !span_hex(&line, &ret_mapping->end)) {
        return false;
    }
    const char *slash = memchr(line.at, '/', (size_t)(line.end - line.at));
    if (slash == NULL || ret_mapping->end <= ret_mapping->start) {
        return false;
    }
    span_blank(&line);
    while (line.at < slash && *line.at != ' ') {
        line.at++; /* the permissions */
    }
    span_blank(&line);
    if (!span_hex(&line, &ret_mapping->offset)) {
        ret_mapping->offset = 0;
    }
    *ret_path = (struct span){slash, line.end};
    return true;
}

static int mapping_add(struct profile_reader *reader, struct mapping mapping,
                       struct span path)
{
    struct profile *profile = &reader->profile;
    size_t count = profile->mapping_count;
    if (count > 0 && mapping.start < profile->mappings[count - 1].end) {
        return 0;
    }
    if (count == PROFILE_MAPPINGS_MAX) {
        return -E2BIG;
    }
    mapping.path = arena_text(&profile->arena, path.at, (size_t)(path.end - path.at));
    void *mappings = profile->mappings;
    if (mapping.path == NULL || array_reserve(&mappings, &reader->mapping_capacity,
                                              count, sizeof(mapping)) < 0) {
        return -ENOMEM;
    }
    profile->mappings = mappings;
    profile->mappings[profile->mapping_count++] = mapping;
    return 0;
}

int reader_add_mappings(struct profile_reader *reader)
{
    struct span line;
    int error = 0;
    while (error == 0 && reader_next_line(reader, &line)) {
        struct mapping mapping;
        struct span path;
        if (mapping_read(line, &path, &mapping)) {
            error = mapping_add(reader, mapping, path);
        }
    }
    return error;
}

int reader_refuse(const struct profile_reader *reader, int error,
                  struct failure *failure)
{
    if (error == -ENOMEM) {
        return failure_set(failure, ENOMEM, "out of memory");
    }
    if (error == -E2BIG) {
        return failure_set(failure, EPROTO,
                           "the %s profile is too long: over %d stacks, %d frames or "
                           "%d mappings",
                           reader->kind, PROFILE_RECORDS_MAX, PROFILE_FRAMES_MAX,
                           PROFILE_MAPPINGS_MAX);
    }
    return failure_set(failure, EPROTO,
                       "line %u of the %s profile cannot be read: it is no profile, "
                       "or was cut short",
                       reader->line, reader->kind);
}

int reader_refuse_start(const struct profile_reader *reader, struct span text,
                        const char *start, struct failure *failure)
{
    size_t length = (size_t)(text.end - text.at);
    if (span_starts(text, start)) {
        const char *newline = memchr(text.at, '\n', length);
        length = newline == NULL ? length : (size_t)(newline - text.at);
        return failure_set(failure, EPROTO,
                           "the first line of the %s profile cannot be read: '%.*s'",
                           reader->kind, length > 120 ? 120 : (int)length, text.at);
    }
    return failure_set(
        failure, EPROTO, "the reply is no %s profile: it starts with '%.*s'",
        reader->kind, length > 40 ? 40 : (int)length, length == 0 ? "" : text.at);
}

void amounts_add(struct amounts *sum, const struct amounts *more)
{
    sum->inuse_objects = amount_add(sum->inuse_objects, more->inuse_objects);
    sum->inuse_bytes = amount_add(sum->inuse_bytes, more->inuse_bytes);
    sum->alloc_objects = amount_add(sum->alloc_objects, more->alloc_objects);
    sum->alloc_bytes = amount_add(sum->alloc_bytes, more->alloc_bytes);
    sum->lost_objects = amount_add(sum->lost_objects, more->lost_objects);
    sum->lost_bytes = amount_add(sum->lost_bytes, more->lost_bytes);
    sum->direct_objects = amount_add(sum->direct_objects, more->direct_objects);
    sum->direct_bytes = amount_add(sum->direct_bytes, more->direct_bytes);
}

/* Sorts the records and joins those with equal stacks. */
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
        amounts_add(&kept->amounts, &next->amounts);
        if (kept->frame_count == 0) {
            kept->frames = next->frames;
            kept->frame_count = next->frame_count;
        }
    }
    profile->count = last + 1;
}

/* Whether the sums of all amounts are below AMOUNT_MAX. An amount at that limit could
 * not grow any more, so a leak would not show. */
static bool amounts_fit(const struct profile *profile)
{
    struct amounts sum = profile->totals;
    for (size_t i = 0; i < profile->count; i++) {
        amounts_add(&sum, &profile->records[i].amounts);
    }
    return sum.inuse_objects < AMOUNT_MAX && sum.inuse_bytes < AMOUNT_MAX &&
           sum.alloc_objects < AMOUNT_MAX && sum.alloc_bytes < AMOUNT_MAX &&
           sum.lost_objects < AMOUNT_MAX && sum.lost_bytes < AMOUNT_MAX;
}

int reader_deliver(struct profile_reader *reader, int error,
                   struct profile *ret_profile, struct failure *failure)
{
    if (error == 0) {
        records_join(&reader->profile);
    }
    if (error == 0 && !amounts_fit(&reader->profile)) {
        error = failure_set(failure, EPROTO,
                            "the numbers of the %s profile are too large to be true",
                            reader->kind);
    }
    if (error < 0) {
        profile_release(&reader->profile);
        return error;
    }
    *ret_profile = reader->profile;
    return 0;
}
