/*
 * Shared by the tests of the judge: a heap profile from its text.
 */
#ifndef LAB_TESTS_JUDGE_HEAP_H
#define LAB_TESTS_JUDGE_HEAP_H

#include <string.h>

#include "leakcheck/measure/profile_parse.h"
#include "unit.h"

/* The caller releases it. */
static inline struct profile heap_of(const char *text)
{
    struct profile profile = {0};
    struct failure failure = {""};
    assert_int_equal(profile_parse_heap(&profile, text, strlen(text), &failure), 0);
    return profile;
}

#endif
