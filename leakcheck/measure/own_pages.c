#include "leakcheck/measure/own_pages.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "leakcheck/measure/profile_parse.h"

#define TRIES 20 /* of one that is busy, or whose threads did not stop */
#define PAUSE_MS 100

/* The pages, and the value that counts in those that count. */
static const struct {
    const char *path;
    const char *counted;
} pages[OWN_PAGES] = {
    [OWN_RETAINED] = {"/debug/pprof/retained?lost=1", NULL},
    [OWN_FDS] = {"/debug/pprof/fds", "fds"},
    [OWN_THREADS] = {"/debug/pprof/threadcreate", "threads"},
    [OWN_TIMERS] = {"/debug/pprof/timers", "timers"},
    [OWN_MAPPINGS] = {"/debug/pprof/mmaps", "mappings"},
    [OWN_CHILDREN] = {"/debug/pprof/children", "children"},
    [OWN_STUCK] = {"/debug/pprof/goroutineleak", "goroutineleak"},
    [OWN_LOCKS] = {"/debug/locks?format=json", NULL},
};

/* Keeps why there is no such page. If the server says what to do about it, that is the
 * reason. */
static void page_refuse(struct server *server, enum own_page_name page, const char *why)
{
    struct own_page *known = &server->own_pages[page];
    struct reply_error said = {0};
    struct failure reason = {""};
    const struct http_reply *reply = &server->reply;
    if (reply->status == 501) {
        reply_error_parse(&said, reply->body.data, reply->body.length);
    }
    failure_set(&reason, EPROTO, "%s", said.hint[0] == '\0' ? why : said.hint);
    snprintf(known->reason, sizeof(known->reason), "%.199s", reason.text);
    known->absent = reply->status == 404;
    known->refused = true;
}

/* Fetches it, and repeats the request for a while if the server is busy (409), or did
 * not succeed this time (503). */
static int page_fetch(struct server *server, enum own_page_name page,
                      struct failure *failure)
{
    int error = 0;
    server->reply.status = 0;
    for (int i = 0; i < TRIES; i++) {
        if (i > 0) {
            clock_sleep_ms(PAUSE_MS);
        }
        error = http_get_ok(&server->http, pages[page].path, &server->reply, failure);
        if (error == 0 ||
            (server->reply.status != 409 && server->reply.status != 503)) {
            break;
        }
    }
    return error;
}

/* Ends a try: `error` is of fetching, or `parsed` of parsing after that. */
static bool page_end(struct server *server, enum own_page_name page, int error,
                     int parsed, struct failure *failure)
{
    if (error == 0 && parsed == 0) {
        server->own_pages[page].reason[0] = '\0';
        return true;
    }
    if (error == 0) {
        server_refuse(server, pages[page].path, parsed, failure);
    }
    page_refuse(server, page, failure->text);
    return false;
}

bool own_retained_try(struct server *server, struct profile *ret_profile)
{
    struct failure why = {""};
    if (server->own_pages[OWN_RETAINED].refused) {
        return false;
    }
    int parsed = 0;
    int error = page_fetch(server, OWN_RETAINED, &why);
    if (error == 0) {
        const struct buffer *body = &server->reply.body;
        parsed = profile_parse_heap(ret_profile, body->data, body->length, &why);
    }
    return page_end(server, OWN_RETAINED, error, parsed, &why);
}

enum own_page_name own_page_of(enum resource resource)
{
    switch (resource) {
    case RESOURCE_FDS:
        return OWN_FDS;
    case RESOURCE_THREADS:
        return OWN_THREADS;
    case RESOURCE_TIMERS:
        return OWN_TIMERS;
    case RESOURCE_MAPPINGS:
        return OWN_MAPPINGS;
    case RESOURCE_CHILDREN:
        return OWN_CHILDREN;
    default:
        return OWN_PAGES;
    }
}

bool own_counts_try(struct server *server, enum own_page_name page,
                    struct profile *ret_profile)
{
    struct failure why = {""};
    if (server->own_pages[page].refused || server->is_go) {
        return false;
    }
    int parsed = 0;
    int error = page_fetch(server, page, &why);
    if (error == 0) {
        const struct buffer *body = &server->reply.body;
        parsed = profile_parse_counts(ret_profile, body->data, body->length,
                                      pages[page].counted, &why);
    }
    return page_end(server, page, error, parsed, &why);
}

bool own_locks_try(struct server *server, struct arena *arena,
                   struct locks_reply *ret_reply)
{
    struct failure why = {""};
    if (server->own_pages[OWN_LOCKS].refused || server->is_go) {
        return false;
    }
    int parsed = 0;
    int error = page_fetch(server, OWN_LOCKS, &why);
    if (error == 0) {
        const struct buffer *body = &server->reply.body;
        parsed = locks_parse(ret_reply, arena, body->data, body->length, &why);
    }
    return page_end(server, OWN_LOCKS, error, parsed, &why);
}
