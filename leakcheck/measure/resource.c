/*
 * The names for people. The names in JSON are different; see replies.c and
 * report_json.c.
 */
#include "leakcheck/measure/resource.h"

const char *resource_name(enum resource resource)
{
    static const char *const names[RESOURCE_COUNT] = {
        [RESOURCE_HEAP] = "heap",         [RESOURCE_THREADS] = "threads",
        [RESOURCE_FDS] = "descriptors",   [RESOURCE_TIMERS] = "timers",
        [RESOURCE_RSS] = "resident set",  [RESOURCE_MAPPINGS] = "mappings",
        [RESOURCE_CHILDREN] = "children", [RESOURCE_TOTAL] = "allocated",
    };
    return names[resource];
}

bool resource_is_bytes(enum resource resource)
{
    return resource == RESOURCE_HEAP || resource == RESOURCE_RSS ||
           resource == RESOURCE_TOTAL;
}
