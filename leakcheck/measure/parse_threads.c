/*
 * Parses thread profiles: goroutine?debug=1 of Go and of the lab's servers.
 */
#include "leakcheck/measure/profile_parse.h"

#include <errno.h>
#include <string.h>

#include "base/amount.h"
#include "leakcheck/measure/profile_text.h"

/* "goroutine profile: total 12" or "threads profile: total 12" */
static bool header_read(struct span line, int64_t *ret_total)
{
    return (span_word(&line, "goroutine profile: total ") ||
            span_word(&line, "threads profile: total ") ||
            span_word(&line, "threadcreate profile: total ")) &&
           span_number(&line, ret_total) && span_blank(&line);
}

/* Reads the records. Writes the sum of their counts to *ret_sum, and to *ret_end
 * whether the part after them (the mappings) was found. */
static int body_read(struct profile_reader *reader, int64_t *ret_sum, bool *ret_end,
                     struct failure *failure)
{
    struct span line;
    while (reader_next_line(reader, &line)) {
        struct amounts amounts = {0};
        struct span start = line;
        int error = 0;
        if (span_blank(&start)) {
            continue;
        }
        if (span_starts(start, "--- Memory map") ||
            span_starts(start, "MAPPED_LIBRARIES:")) {
            *ret_end = true;
            error = reader_add_mappings(reader);
            return error < 0 ? reader_refuse(reader, error, failure) : 0;
        }
        if (span_starts(start, "#")) {
            error = reader_add_comment(reader, line);
        } else if (span_number(&line, &amounts.inuse_objects) &&
                   span_word(&line, "@")) {
            *ret_sum = amount_add(*ret_sum, amounts.inuse_objects);
            error = reader_add_record(reader, line, &amounts);
        } else {
            error = -EPROTO;
        }
        if (error < 0) {
            return reader_refuse(reader, error, failure);
        }
    }
    return 0;
}

int profile_parse_threads(struct profile *ret_profile, const char *text, size_t length,
                          struct failure *failure)
{
    if (profile_is_proto(text, length)) {
        return profile_parse_proto(ret_profile, text, length, true, failure);
    }
    struct profile_reader reader = {.kind = "thread", .rest = {text, text + length}};
    struct span line;
    int64_t total = 0;
    bool any = length > 0 && reader_next_line(&reader, &line);
    if (!any || !header_read(line, &total)) {
        return reader_refuse_start(&reader, (struct span){text, text + length},
                                   "goroutine profile:", failure);
    }
    reader.profile.format = PROFILE_THREADS;
    reader.profile.totals.inuse_objects = total;
    int64_t sum = 0;
    bool end = false;
    int error = body_read(&reader, &sum, &end, failure);
    /* Go lists every goroutine that it counts. A server that asks its threads one by
     * one may get no answer from some; its list is complete if the mappings follow. */
    if (error == 0 && sum < total && !end) {
        error = failure_set(failure, EPROTO,
                            "the thread profile was cut short: it lists %lld of %lld",
                            (long long)sum, (long long)total);
    }
    return reader_deliver(&reader, error, ret_profile, failure);
}
