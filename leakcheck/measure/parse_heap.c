/*
 * Parses heap profiles: gperftools' text and Go's heap?debug=1.
 */
#include "leakcheck/measure/profile_parse.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/amount.h"
#include "base/size.h"
#include "leakcheck/measure/profile_text.h"

#define CUT_TEXT_LEAST (768 * KIB) /* a text that gperftools cut is longer */

/* The values of the first line, except the totals. */
struct heap_header {
    enum profile_format format;
    double period; /* mean bytes between two samples; 1: every allocation */
};

struct heap_end {
    bool seen; /* the last part of a complete profile was found */
    bool has_heap_alloc;
    bool has_total_alloc;
};

/* "12: 3456 [78: 9012] @" */
static bool amounts_read(struct span *line, struct amounts *ret_amounts)
{
    struct span at = *line;
    struct amounts amounts = {0};
    if (!span_number(&at, &amounts.inuse_objects) || !span_word(&at, ":") ||
        !span_number(&at, &amounts.inuse_bytes) || !span_word(&at, "[") ||
        !span_number(&at, &amounts.alloc_objects) || !span_word(&at, ":") ||
        !span_number(&at, &amounts.alloc_bytes) || !span_word(&at, "]") ||
        !span_word(&at, "@")) {
        return false;
    }
    *line = at;
    *ret_amounts = amounts;
    return true;
}

static bool header_read(struct span line, struct amounts *totals,
                        struct heap_header *ret_header)
{
    if (!span_word(&line, "heap profile:") || !amounts_read(&line, totals)) {
        return false;
    }
    int64_t number = 0;
    if (span_word(&line, "heapprofile")) {
        *ret_header = (struct heap_header){PROFILE_EXACT, 1};
    } else if (span_word(&line, "heap_v2/") && span_number(&line, &number)) {
        *ret_header = (struct heap_header){PROFILE_SAMPLED, (double)number};
    } else if (span_word(&line, "heap/") && span_number(&line, &number)) {
        /* Go writes twice its rate, for old readers. */
        *ret_header = (struct heap_header){PROFILE_GO_HEAP, (double)number / 2};
    } else {
        return false;
    }
    return span_blank(&line);
}

static int64_t scaled(int64_t value, double factor)
{
    double product = (double)value * factor;
    return product >= (double)AMOUNT_MAX ? AMOUNT_MAX : (int64_t)llround(product);
}

/* An allocation of n bytes is sampled with probability 1 - exp(-n / period). Dividing
 * by that gives the expected amount, as in pprof. */
static void counts_scale(int64_t *objects, int64_t *bytes, double period)
{
    if (*objects == 0 || *bytes == 0 || period <= 1) {
        return;
    }
    double size = (double)*bytes / (double)*objects;
    double factor = 1 / -expm1(-size / period);
    *objects = scaled(*objects, factor);
    *bytes = scaled(*bytes, factor);
}

/* Sums up the scaled stacks. The totals in the header of a sampled profile cannot be
 * scaled: the scale depends on the block size, and the header mixes all sizes. */
static void totals_sum(struct profile *profile)
{
    profile->totals = (struct amounts){0};
    for (size_t i = 0; i < profile->count; i++) {
        amounts_add(&profile->totals, &profile->records[i].amounts);
    }
}

/* Reads "# HeapAlloc = 123" of Go's runtime.MemStats: exact, while the stacks are
 * samples. */
static void memstats_read(struct span line, struct amounts *totals,
                          struct heap_end *end)
{
    int64_t number;
    struct span at = line;
    if (span_word(&at, "# HeapAlloc = ") && span_number(&at, &number)) {
        totals->inuse_bytes = number;
        end->has_heap_alloc = true;
    }
    at = line;
    if (span_word(&at, "# TotalAlloc = ") && span_number(&at, &number)) {
        totals->alloc_bytes = number;
        end->has_total_alloc = true;
    }
}

/* Whether gperftools has cut the line that cannot be parsed. It cuts its list of
 * stacks, perhaps inside a line, so that stacks and mappings fit into 1 MiB. So such a
 * line is the last one before the mappings, in a text of about that length. In a
 * shorter text the line is an error. */
static bool mappings_follow(const struct profile_reader *reader, const char *text)
{
    struct span rest = reader->rest;
    while (rest.at < rest.end && *rest.at == '\n') {
        rest.at++;
    }
    return rest.end - text >= CUT_TEXT_LEAST && span_starts(rest, "MAPPED_LIBRARIES:");
}

/* Reads the records, the comments, and the part after them. */
static int body_read(struct profile_reader *reader, const struct heap_header *header,
                     struct heap_end *end, struct failure *failure)
{
    const char *text = reader->rest.at;
    struct span line;
    bool in_memstats = false;
    while (reader_next_line(reader, &line)) {
        struct amounts amounts;
        int error = 0;
        struct span start = line;
        if (span_blank(&start)) {
            continue;
        }
        if (span_starts(start, "MAPPED_LIBRARIES:")) {
            end->seen = true;
            error = reader_add_mappings(reader);
            return error < 0 ? reader_refuse(reader, error, failure) : 0;
        }
        if (span_starts(start, "#")) {
            in_memstats = in_memstats || span_starts(start, "# runtime.MemStats");
            if (in_memstats) {
                memstats_read(line, &reader->profile.totals, end);
            } else {
                error = reader_add_comment(reader, line);
            }
        } else if (amounts_read(&line, &amounts)) {
            counts_scale(&amounts.inuse_objects, &amounts.inuse_bytes, header->period);
            counts_scale(&amounts.alloc_objects, &amounts.alloc_bytes, header->period);
            error = reader_add_record(reader, line, &amounts);
        } else {
            error = -EPROTO;
        }
        if (error == -EPROTO && header->format != PROFILE_GO_HEAP &&
            mappings_follow(reader, text)) {
            error = 0;
        }
        if (error < 0) {
            return reader_refuse(reader, error, failure);
        }
    }
    return 0;
}

int profile_parse_heap(struct profile *ret_profile, const char *text, size_t length,
                       struct failure *failure)
{
    if (profile_is_proto(text, length)) {
        return profile_parse_proto(ret_profile, text, length, false, failure);
    }
    struct profile_reader reader = {.kind = "heap", .rest = {text, text + length}};
    struct heap_header header;
    struct heap_end end = {0};
    struct span line;
    if (length == 0) {
        return failure_set(failure, EPROTO,
                           "the reply is empty, no heap profile: a gperftools server "
                           "must be started under HEAPPROFILE=/tmp/x");
    }
    bool any = reader_next_line(&reader, &line);
    if (!any || !header_read(line, &reader.profile.totals, &header)) {
        return reader_refuse_start(&reader, (struct span){text, text + length},
                                   "heap profile:", failure);
    }
    if (header.format == PROFILE_SAMPLED && header.period == 0) {
        return failure_set(failure, EPROTO,
                           "the heap profile samples nothing (heap_v2/0): start the "
                           "server with TCMALLOC_SAMPLE_PARAMETER=524288");
    }
    reader.profile.format = header.format;
    reader.profile.period = (int64_t)header.period;
    int error = body_read(&reader, &header, &end, failure);
    if (header.format == PROFILE_SAMPLED) {
        totals_sum(&reader.profile);
    }
    bool whole = header.format == PROFILE_GO_HEAP
                     ? end.has_heap_alloc && end.has_total_alloc
                     : end.seen;
    if (error == 0 && (!whole || text[length - 1] != '\n')) {
        error =
            failure_set(failure, EPROTO, "the heap profile was cut short after line %u",
                        reader.line);
    }
    return reader_deliver(&reader, error, ret_profile, failure);
}
