/*
 * What a server serves, and how to ask for it.
 */
#include "server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

#define BUSY_RETRIES 100
#define BUSY_PAUSE_MS 20

/* Fetches a path; a server that takes another profile just now (409) is asked again. */
static int fetch(struct server *server, const char *path, struct failure *failure)
{
    int result = 0;
    for (int i = 0; i < BUSY_RETRIES; i++) {
        result = http_get_ok(&server->http, path, &server->reply, failure);
        if (result == 0 || server->reply.status != 409) {
            return result;
        }
        clock_sleep_ms(BUSY_PAUSE_MS);
    }
    return result;
}

int server_status(struct server *server, struct status *ret_status,
                  struct failure *failure)
{
    int result = fetch(server, "/status", failure);
    if (result < 0) {
        return result;
    }
    const struct buffer *body = &server->reply.body;
    return status_parse(ret_status, body->data, body->length, server->growing, failure);
}

/* Puts the path before what a parser complained of. */
static int parse_complain(const struct server *server, const char *path, int error,
                          struct failure *failure)
{
    struct failure reason = *failure;
    return failure_set(failure, -error, "%s%s: %.300s", server->http.base, path,
                       reason.text);
}

static int heap_fetch(struct server *server, const char *path,
                      struct profile *ret_profile, struct failure *failure)
{
    int result = fetch(server, path, failure);
    if (result < 0) {
        return result;
    }
    const struct buffer *body = &server->reply.body;
    result = profile_parse_heap(ret_profile, body->data, body->length, failure);
    return result < 0 ? parse_complain(server, path, result, failure) : 0;
}

int server_heap(struct server *server, bool named, struct profile *ret_profile,
                struct failure *failure)
{
    const char *path = named ? server->stacks_path : server->heap_path;
    return heap_fetch(server, path, ret_profile, failure);
}

int server_threads(struct server *server, struct profile *ret_profile,
                   struct failure *failure)
{
    int result = fetch(server, server->threads_path, failure);
    if (result < 0) {
        return result;
    }
    const struct buffer *body = &server->reply.body;
    result = profile_parse_threads(ret_profile, body->data, body->length, failure);
    return result < 0 ? parse_complain(server, server->threads_path, result, failure)
                      : 0;
}

/* Finds the heap profiles. A profile of both kinds is read by the cheaper path. */
static int probe_heap(struct server *server, struct failure *failure)
{
    struct profile profile = {0};
    int result = heap_fetch(server, "/debug/pprof/heap?debug=1", &profile, failure);
    if (result == 0) {
        server->is_go = profile.format == PROFILE_GO_HEAP;
        /* Go counts what is unreachable too, unless it collects first. */
        server->stacks_path = server->is_go ? "/debug/pprof/heap?gc=1&debug=1"
                                            : "/debug/pprof/heap?debug=1";
        server->heap_path = server->stacks_path;
        profile_release(&profile);
        if (server->is_go) {
            return 0;
        }
    } else if (result != -ENOENT) {
        return result;
    }
    result = heap_fetch(server, "/pprof/heap", &profile, failure);
    if (result == 0) {
        profile_release(&profile);
        server->heap_path = "/pprof/heap";
        if (server->stacks_path == NULL) {
            server->stacks_path = server->heap_path;
        }
        return 0;
    }
    if (result == -ENOENT && server->heap_path == NULL) {
        return failure_set(failure, ENOENT,
                           "%s serves no heap profile: neither /debug/pprof/heap nor "
                           "/pprof/heap is there",
                           server->http.base);
    }
    return result == -ENOENT ? 0 : result;
}

int server_open(struct server *server, const char *url, struct failure *failure)
{
    *server = (struct server){0};
    struct status status;
    int result = http_open(&server->http, url, failure);
    if (result == 0) {
        result = fetch(server, "/status", failure);
        if (result == 0) {
            const struct buffer *body = &server->reply.body;
            server->has_status =
                status_parse(&status, body->data, body->length, NULL, failure) == 0;
        } else if (server->reply.status >= 400 && server->reply.status < 500) {
            result = 0;
        }
    }
    if (result == 0) {
        result = probe_heap(server, failure);
    }
    if (result == 0) {
        struct profile profile;
        server->threads_path = "/debug/pprof/goroutine?debug=1";
        result = server_threads(server, &profile, failure);
        if (result == 0) {
            profile_release(&profile);
        } else if (result == -ENOENT) {
            server->threads_path = NULL;
            result = 0;
        }
    }
    if (result < 0) {
        server_close(server);
    }
    return result;
}

void server_close(struct server *server)
{
    http_close(&server->http);
    http_reply_release(&server->reply);
}

int server_scenarios(struct server *server, struct arena *arena,
                     struct scenario_info **ret_scenarios, size_t *ret_count,
                     struct failure *failure)
{
    const char *path = "/scenarios?answers=1";
    int result = fetch(server, path, failure);
    if (result < 0) {
        return result;
    }
    const struct buffer *body = &server->reply.body;
    result = scenarios_parse(ret_scenarios, ret_count, arena, body->data, body->length,
                             failure);
    return result < 0 ? parse_complain(server, path, result, failure) : 0;
}
