/*
 * What the checks and the pages need to know about the program that they run in: its
 * name, the host names and origins that may reach it, and hints for a person when
 * something fails.
 */
#ifndef PROBE_HTTP_SITE_H
#define PROBE_HTTP_SITE_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/http/origin.h"

/* What an error's hint advises. */
struct site_hints {
    const char *memory;     /* memory is short */
    const char *fds;        /* no descriptor is free */
    const char *mappings;   /* too many mappings for a heap profile */
    const char *no_profile; /* the heap is not profiled, but could be */
    const char *no_reach;   /* blocks cannot be followed: no recorder, or it samples */
    const char *no_resources; /* who made a descriptor, a thread ... is not noted */
    const char *no_build;     /* this build cannot profile the heap */
    const char *dump;         /* a dump could not be written */
    const char *cross_site;   /* another site's page was refused */
};

/* Lives in memory that the server owns, and outlives every request. */
struct site {
    const char *name;    /* of the program: "leaky" */
    const char *version; /* "1.0.0" */
    int64_t started_ms;  /* clock_now_ms */

    const char *bind;      /* the address that it listens on */
    bool expose;           /* requests through addresses other than 127.0.0.1 are
                              wanted */
    const char *host_name; /* of this machine */
    struct origin peer;    /* its pages may control this program, too; port 0: none */

    const char *dump_directory; /* where heap dumps go; NULL: none are written */
    struct site_hints hints;

    /* Waits for `ms` milliseconds. Returns 0, or -ECANCELED as soon as the server is
     * to stop. */
    int (*sleep)(void *owner, unsigned ms);
    void *owner; /* the program's own data, for `sleep` and its own routes */
};

#endif
