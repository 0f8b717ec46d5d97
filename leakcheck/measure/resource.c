/*
 * The names for people. The names in JSON are different; see replies.c and
 * report_json.c.
 */
#include "leakcheck/measure/resource.h"

const char *resource_name(enum resource resource)
{
    static const char *const names[RESOURCE_COUNT] = {
        [RESOURCE_HEAP] = "heap",        [RESOURCE_THREADS] = "threads",
        [RESOURCE_FDS] = "descriptors",  [RESOURCE_TIMERS] = "timers",
        [RESOURCE_RSS] = "resident set", [RESOURCE_TOTAL] = "allocated",
    };
    return names[resource];
}
