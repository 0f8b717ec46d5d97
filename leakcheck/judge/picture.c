/*
 * The texts of the pictures, one table for all three lengths.
 */
#include "leakcheck/judge/picture.h"

const char *picture_sentence(enum picture picture)
{
    switch (picture) {
    case PICTURE_LEAK:
        return "in-use climbs with every round: a leak";
    case PICTURE_THREADS:
        return "threads climb with every round: stuck threads";
    case PICTURE_FDS:
        return "descriptors climb with every round: a leak of descriptors";
    case PICTURE_TIMERS:
        return "timers climb with every round: a leak of timers";
    case PICTURE_CHURN:
        return "total climbs fast while in-use is flat: churn";
    case PICTURE_PEAK:
        return "high during the call, back after it: a temporary leak";
    case PICTURE_RESIDENT:
        return "the resident set climbs while the heap is flat: memory that malloc "
               "does not see, or holes in what it gave back";
    case PICTURE_MAPPINGS:
        return "mappings climb: memory that is mapped and not unmapped, or libraries "
               "that are loaded again and again";
    case PICTURE_CHILDREN:
        return "children climb with every round: processes that do not end, or that "
               "nobody waits for";
    default:
        return "nothing measured climbs steadily; under 1 KiB a call is noise";
    }
}

const char *picture_name(enum picture picture)
{
    static const char *const names[] = {
        [PICTURE_FLAT] = "flat",
        [PICTURE_LEAK] = "leak",
        [PICTURE_THREADS] = "stuck threads",
        [PICTURE_FDS] = "leak of descriptors",
        [PICTURE_TIMERS] = "leak of timers",
        [PICTURE_CHURN] = "churn",
        [PICTURE_PEAK] = "temporary leak",
        [PICTURE_RESIDENT] = "resident set",
        [PICTURE_MAPPINGS] = "leak of mappings",
        [PICTURE_CHILDREN] = "leak of children",
    };
    return names[picture];
}

const char *picture_word(enum picture picture)
{
    static const char *const words[] = {
        [PICTURE_FLAT] = "flat",
        [PICTURE_LEAK] = "leak",
        [PICTURE_THREADS] = "stuck-threads",
        [PICTURE_FDS] = "descriptors",
        [PICTURE_TIMERS] = "timers",
        [PICTURE_CHURN] = "churn",
        [PICTURE_PEAK] = "temporary",
        [PICTURE_RESIDENT] = "resident",
        [PICTURE_MAPPINGS] = "mappings",
        [PICTURE_CHILDREN] = "children",
    };
    return words[picture];
}
