/*
 * The calls of the gate, which may leave something behind: requests to one or more
 * URLs, in turn, or a command. Each round begins with the first URL, so that all rounds
 * do the same.
 */
#ifndef LEAKCHECK_MEASURE_CALLER_H
#define LEAKCHECK_MEASURE_CALLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "leakcheck/measure/http.h"

/* What a call is. The caller's owner keeps all texts. */
struct call_settings {
    const char *const *drives; /* paths of the server; or whole URLs */
    size_t drive_count;        /* 0: `command` is set */
    const char *command;       /* run by sh -c; NULL: requests */
    const char *method;        /* "GET" */
    const char *body;          /* NULL: none */
    const char *const *headers;
    size_t header_count;
    int64_t expect; /* the status that is a success; 0: 200 to 299 */
};

/* One URL that is driven. */
struct call_target {
    struct http *http; /* one of `own`, or that of the profiles */
    const char *path;
};

/* Lives in memory that its owner keeps; { 0 } is closed. */
struct caller {
    const struct call_settings *settings;
    struct call_target *targets; /* drive_count */
    struct http *own;            /* connections: one for each server */
    size_t own_count;
    struct http_reply reply;
    bool hangs_up; /* the server closes connections that are idle */
    int64_t deadline_ms;
};

/* Prepares the calls. `profiles` is the connection to the server that is measured: what
 * is driven there uses the same. The run ends at `deadline_ms` (clock_now_ms). Returns
 * 0 or -errno; in both cases caller_close is to be called. */
int caller_open(struct caller *caller, const struct call_settings *settings,
                struct http *profiles, int64_t deadline_ms, struct failure *failure);

/* Makes `calls` calls. One without success is a failure. Returns 0 or -errno. */
int caller_make(struct caller *caller, unsigned calls, struct failure *failure);

/* Called before a sample and after it. A connection that the server closes some time is
 * in one sample and not in the next, which looks like growth. So once the server has
 * done that, the connections are closed before each sample. */
void caller_before_sample(struct caller *caller);
void caller_after_sample(struct caller *caller);

/* How many of `calls` calls go to each target: that of `index`. */
unsigned caller_share(const struct caller *caller, unsigned calls, size_t index);

/* Closes its connections and frees everything. May be called again. */
void caller_close(struct caller *caller);

/* Opens a connection to the server of a whole URL, and finds the path in it; "/" if it
 * has none. Sends nothing. Returns 0 or -errno; after 0 the caller calls http_close. */
int caller_url_open(const char *url, struct http *http, const char **ret_path,
                    struct failure *failure);

#endif
