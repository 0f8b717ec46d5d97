/*
 * The names that people read; the JSON of the servers and of the reports has others.
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
