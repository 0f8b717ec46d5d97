/*
 * Fuzzes the judge's reader of heap profiles, and the blame that uses its result:
 * both halves of the input, cut at its first '\1', are a profile.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "leakcheck/judge/blame.h"
#include "leakcheck/measure/profile_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *cut = size == 0 ? NULL : memchr(text, 1, size);
    size_t first = cut == NULL ? size : (size_t)(cut - text);
    struct failure failure = {""};
    struct profile base = {0};
    struct profile last = {0};
    int result = profile_parse_heap(&base, text, first, &failure);
    if (cut != NULL) {
        result = profile_parse_heap(&last, cut + 1, size - first - 1, &failure);
    }
    for (int what = BLAME_IN_USE; result == 0 && what <= BLAME_THREADS; what++) {
        struct blame_question question = {.what = (enum blame_what)what,
                                          .base = &last,
                                          .last = &base,
                                          .idle_from = &base,
                                          .idle_to = &last};
        struct blame blame;
        if (blame_find(&blame, &question, &failure) == 0 && blame.growth > 0) {
            blame_held(&base, &blame, (struct blame_own){0});
        }
    }
    profile_release(&base);
    profile_release(&last);
    return 0;
}
