/*
 * Fuzzes the judge's reader of profile.proto, packed with gzip or not, and the blame
 * that uses its result: the input is a heap profile and a thread profile.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/amount.h"
#include "leakcheck/judge/blame.h"
#include "leakcheck/measure/profile_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads the profile; a refusal must have a reason. Then all that grew from nothing is
 * blamed, and nothing that grew from itself. */
static void profile_try(const char *bytes, size_t size, bool threads)
{
    static const char *const names[] = {"a*"};
    struct failure failure = {""};
    struct profile profile = {0};
    struct profile nothing = {0};
    if (profile_parse_proto(&profile, bytes, size, threads, &failure) < 0) {
        if (failure.text[0] == '\0') {
            abort();
        }
        return;
    }
    struct blame_question question = {.what = threads ? BLAME_THREADS : BLAME_IN_USE,
                                      .own = {.wrappers = {true, names, 1}},
                                      .base = &nothing,
                                      .last = &profile};
    struct blame blame;
    if (profile.totals.inuse_bytes < 0 || profile.totals.inuse_bytes >= AMOUNT_MAX ||
        blame_find(&blame, &question, &failure) < 0 || blame.growth > blame.total) {
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
    profile_try(bytes, size, false);
    profile_try(bytes, size, true);
    return 0;
}
