/*
 * The resources that a server can leak, and amounts of them.
 */
#ifndef LEAKCHECK_MEASURE_RESOURCE_H
#define LEAKCHECK_MEASURE_RESOURCE_H

#include <stdbool.h>
#include <stdint.h>

/* The resources, in the order in which they are shown. */
enum resource {
    RESOURCE_HEAP,    /* bytes in use */
    RESOURCE_THREADS, /* goroutines in a Go program */
    RESOURCE_FDS,
    RESOURCE_TIMERS,
    RESOURCE_RSS,      /* bytes of the resident set */
    RESOURCE_MAPPINGS, /* of memory, as the kernel lists them: neighbours that are alike
                          are one */
    RESOURCE_CHILDREN, /* processes, ended but not waited for included */
    RESOURCE_TOTAL,    /* bytes allocated since the start */
    RESOURCE_COUNT
};

/* An amount of each resource; UNKNOWN if it was not measured. */
#define UNKNOWN (-1)
struct resources {
    int64_t amount[RESOURCE_COUNT];
};

/* "heap", "threads", "descriptors", "timers", "resident set", "mappings", "children",
 * "allocated". */
const char *resource_name(enum resource resource);

/* Whether its amounts are bytes; if not, they are counts. */
bool resource_is_bytes(enum resource resource);

#endif
