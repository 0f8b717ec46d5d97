/*
 * The resources that a server can leak, and amounts of them.
 */
#ifndef LEAKCHECK_MEASURE_RESOURCE_H
#define LEAKCHECK_MEASURE_RESOURCE_H

#include <stdint.h>

/* The resources, in the order in which they are shown. */
enum resource {
    RESOURCE_HEAP,    /* bytes in use */
    RESOURCE_THREADS, /* goroutines in a Go program */
    RESOURCE_FDS,
    RESOURCE_TIMERS,
    RESOURCE_RSS,   /* bytes of the resident set */
    RESOURCE_TOTAL, /* bytes allocated since the start */
    RESOURCE_COUNT
};

/* An amount of each resource; UNKNOWN if it was not measured. */
#define UNKNOWN (-1)
struct resources {
    int64_t amount[RESOURCE_COUNT];
};

/* "heap", "threads", "descriptors", "timers", "resident set", "allocated". */
const char *resource_name(enum resource resource);

#endif
