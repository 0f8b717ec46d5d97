/*
 * Fuzzes the judge's reader of profile.proto, packed with gzip or not, and the blame
 * that uses its result: the input is a heap profile, a thread profile, and one of
 * threads by who started them.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/amount.h"
#include "leakcheck/judge/blame.h"
#include "leakcheck/measure/profile_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads the profile; a refusal must have a reason. Then all that grew from nothing is
 * blamed, and nothing that grew from itself. */
static void profile_try(const char *bytes, size_t size, enum blame_what what)
{
    static const char *const names[] = {"a*"};
    struct failure failure = {""};
    struct profile profile = {0};
    struct profile nothing = {0};
    int error = what == BLAME_MADE
                    ? profile_parse_counts(&profile, bytes, size, "threads", &failure)
                    : profile_parse_proto(&profile, bytes, size, what == BLAME_THREADS,
                                          &failure);
    if (error < 0) {
        if (failure.text[0] == '\0') {
            abort();
        }
        return;
    }
    struct blame_question question = {.what = what,
                                      .own = {.wrappers = {true, names, 1}},
                                      .base = &nothing,
                                      .last = &profile};
    struct blame blame;
    if (profile.totals.inuse_bytes < 0 || profile.totals.inuse_bytes >= AMOUNT_MAX ||
        blame_find(&blame, &question, &failure) < 0 || blame.growth > blame.total ||
        blame.unseen > blame.total) {
        abort();
    }
    question.base = &profile;
    if (blame_find(&blame, &question, &failure) < 0 || blame.total != 0) {
        abort();
    }
    profile_release(&profile);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    profile_is_proto(bytes, size);
    profile_try(bytes, size, BLAME_IN_USE);
    profile_try(bytes, size, BLAME_THREADS);
    profile_try(bytes, size, BLAME_MADE);
    return 0;
}
