/*
 * Fuzzes the judge's reader of thread profiles.
 */
#include <stdint.h>
#include <stdlib.h>

#include "leakcheck/judge/blame.h"
#include "leakcheck/measure/profile_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct failure failure = {""};
    struct profile profile;
    if (profile_parse_threads(&profile, (const char *)data, size, &failure) == 0) {
        struct profile none = {0};
        struct blame_question question = {
            .what = BLAME_THREADS, .base = &none, .last = &profile};
        struct blame blame;
        blame_find(&blame, &question, &failure);
        profile_release(&profile);
    }
    return 0;
}
