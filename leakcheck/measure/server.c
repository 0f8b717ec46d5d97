/*
 * Which paths a server has is found out once, when it is opened: the known paths are
 * tried, and those that work are kept.
 */
#include "leakcheck/measure/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "leakcheck/measure/profile_parse.h"
#include "leakcheck/measure/task.h"

#define BUSY_RETRIES 100
#define BUSY_PAUSE_MS 20

/* Fetches a path. Repeats the request if the server is just taking another profile
 * (409). */
static int fetch(struct server *server, const char *path, struct failure *failure)
{
    int error = 0;
    for (int i = 0; i < BUSY_RETRIES; i++) {
        error = http_get_ok(&server->http, path, &server->reply, failure);
        if (error == 0 || server->reply.status != 409) {
            return error;
        }
        clock_sleep_ms(BUSY_PAUSE_MS);
    }
    return error;
}

static int status_refuse(const struct server *server, enum resource resource,
                         struct failure *failure)
{
    return failure_set(failure, EPROTO, "/status of %s does not count: %s",
                       server->http.base, resource_name(resource));
}

/* On the lab's servers every count must be there each time: a fix must not be called
 * good if something was not measured. Of mappings and children it may say that they
 * were not counted this time: see judge/measured.h. */
static int status_check_whole(const struct server *server, const struct status *status,
                              struct failure *failure)
{
    static const enum resource needed[] = {RESOURCE_HEAP, RESOURCE_THREADS,
                                           RESOURCE_FDS, RESOURCE_TIMERS, RESOURCE_RSS};
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        if (status->now.amount[needed[i]] == UNKNOWN) {
            return status_refuse(server, needed[i], failure);
        }
    }
    if (!status->has_mappings) {
        return status_refuse(server, RESOURCE_MAPPINGS, failure);
    }
    return status->has_children ? 0 : status_refuse(server, RESOURCE_CHILDREN, failure);
}

int server_status(struct server *server, struct status *ret_status,
                  struct failure *failure)
{
    int error = fetch(server, "/status", failure);
    if (error < 0) {
        return error;
    }
    const struct buffer *body = &server->reply.body;
    error =
        status_parse(ret_status, body->data, body->length, server->growing, failure);
    return error == 0 && server->needs_status
               ? status_check_whole(server, ret_status, failure)
               : error;
}

int server_refuse(const struct server *server, const char *path, int error,
                  struct failure *failure)
{
    struct failure reason = *failure;
    return failure_set(failure, -error, "%s%s: %.300s", server->http.base, path,
                       reason.text);
}

static int heap_fetch(struct server *server, const char *path,
                      struct profile *ret_profile, struct failure *failure)
{
    int error = fetch(server, path, failure);
    if (error < 0) {
        return error;
    }
    const struct buffer *body = &server->reply.body;
    error = profile_parse_heap(ret_profile, body->data, body->length, failure);
    return error < 0 ? server_refuse(server, path, error, failure) : 0;
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
    int error = fetch(server, server->threads_path, failure);
    if (error < 0) {
        return error;
    }
    const struct buffer *body = &server->reply.body;
    error = profile_parse_threads(ret_profile, body->data, body->length, failure);
    return error < 0 ? server_refuse(server, server->threads_path, error, failure) : 0;
}

bool server_threads_try(struct server *server, struct profile *ret_profile)
{
    struct failure why = {""};
    if (server->threads_path == NULL) {
        return false;
    }
    if (server_threads(server, ret_profile, &why) < 0) {
        server->threads_path = NULL;
        snprintf(server->threads_reason, sizeof(server->threads_reason), "%.199s",
                 why.text);
        return false;
    }
    return true;
}

int server_restarted(const struct server *server, struct failure *failure)
{
    return failure_set(failure, EPROTO,
                       "%s was restarted while it was judged; no verdict",
                       server->http.base);
}

/* Tries one path for a heap profile, and learns what its format says of the server.
 * Returns 0, or -errno with a reason. */
static int heap_try(struct server *server, const char *path, bool *ret_go_text,
                    struct failure *failure)
{
    struct profile profile;
    int error = heap_fetch(server, path, &profile, failure);
    if (error == 0) {
        *ret_go_text = profile.format == PROFILE_GO_HEAP;
        server->is_go = server->is_go || *ret_go_text || profile.is_go;
        if (profile.format == PROFILE_SAMPLED_PROTO) {
            server->heap_step = profile.period;
        }
        profile_release(&profile);
    }
    return error;
}

/* Finds the heap profiles. If a server has both paths, the cheaper one is used for
 * profiles without names. A page that serves profile.proto alone may refuse debug=1, so
 * it is asked without it last. */
static int heap_find(struct server *server, struct failure *failure)
{
    struct failure why[3] = {{""}, {""}, {""}};
    bool go_text = false;
    int named = heap_try(server, "/debug/pprof/heap?debug=1", &go_text, &why[0]);
    if (named == 0) {
        /* Without gc=1, Go also counts objects that are unreachable. */
        server->stacks_path =
            go_text ? "/debug/pprof/heap?gc=1&debug=1" : "/debug/pprof/heap?debug=1";
        server->heap_path = server->stacks_path;
        if (server->is_go) {
            return 0;
        }
    }
    int bare = heap_try(server, "/pprof/heap", &go_text, &why[1]);
    if (bare == 0) {
        server->heap_path = "/pprof/heap";
        if (server->stacks_path == NULL) {
            server->stacks_path = server->heap_path;
        }
    }
    if (named == 0 || bare == 0) {
        return 0;
    }
    int proto = heap_try(server, "/debug/pprof/heap", &go_text, &why[2]);
    if (proto == 0) {
        server->heap_path = "/debug/pprof/heap";
        server->stacks_path = server->heap_path;
        return 0;
    }
    if (named == -ENOENT && bare == -ENOENT) {
        return failure_set(failure, ENOENT,
                           "%s serves no heap profile: neither /debug/pprof/heap nor "
                           "/pprof/heap is there",
                           server->http.base);
    }
    *failure = named == -ENOENT ? why[1] : why[0];
    return named == -ENOENT ? bare : named;
}

/* Looks for a /status like the lab's. Another server can have anything at this path. */
static void status_find(struct server *server)
{
    struct status status;
    struct failure why = {""};
    server->pid_said = UNKNOWN;
    server->has_status = server_status(server, &status, &why) == 0;
    if (server->has_status) {
        memcpy(server->name, status.server, sizeof(server->name));
        server->pid_said = status.pid;
    } else {
        snprintf(server->status_reason, sizeof(server->status_reason), "%.199s",
                 why.text);
    }
}

/* Looks for a thread profile, of any format. The reason that is kept is that of the
 * first path. */
static void threads_find(struct server *server)
{
    static const char *const paths[] = {"/debug/pprof/goroutine?debug=1",
                                        "/debug/pprof/goroutine",
                                        "/debug/pprof/threads"};
    char reason[sizeof(server->threads_reason)] = "";
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct profile profile;
        server->threads_path = paths[i];
        if (server_threads_try(server, &profile)) {
            server->is_go = server->is_go || profile.is_go;
            server->threads_reason[0] = '\0';
            profile_release(&profile);
            return;
        }
        if (i == 0) {
            memcpy(reason, server->threads_reason, sizeof(reason));
        }
    }
    memcpy(server->threads_reason, reason, sizeof(reason));
}

int server_open(struct server *server, const char *url, int64_t deadline_ms,
                struct failure *failure)
{
    *server = (struct server){0};
    int error = http_open(&server->http, url, failure);
    if (error < 0) {
        return error;
    }
    http_deadline(&server->http, deadline_ms);
    status_find(server);
    error = heap_find(server, failure);
    if (error < 0) {
        server_close(server);
        return error;
    }
    threads_find(server);
    /* A Go program leaks goroutines, but the kernel counts only its threads. */
    server->threads_by_profile = server->is_go || !server->has_status;
    return 0;
}

int server_watch_process(struct server *server, int pid, struct failure *failure)
{
    bool serves = false;
    int error = process_open(&server->process, pid, failure);
    if (error == 0 && server->pid_said != UNKNOWN && server->pid_said != pid) {
        return failure_set(failure, EINVAL,
                           "--pid %d: %s says that its process is %lld", pid,
                           server->http.base, (long long)server->pid_said);
    }
    if (error == 0) {
        error = process_serves(&server->process, http_port(&server->http),
                               http_local_port(&server->http), &serves, failure);
    }
    if (error == 0 && !serves) {
        error = failure_set(failure, EINVAL,
                            "--pid %d: that process does not serve %s (name the one "
                            "that does, not its parent)",
                            pid, server->http.base);
    }
    server->has_process = error == 0;
    server->threads_by_profile =
        server->threads_by_profile && (server->is_go || !server->has_process);
    if (error == 0 && server->binary == NULL) {
        snprintf(server->executable, sizeof(server->executable), "/proc/%d/task/%d/exe",
                 pid, task_living(pid));
        server->binary = server->executable;
    }
    return error;
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
    int error = fetch(server, path, failure);
    if (error < 0) {
        return error;
    }
    const struct buffer *body = &server->reply.body;
    error = scenarios_parse(ret_scenarios, ret_count, arena, body->data, body->length,
                            failure);
    return error < 0 ? server_refuse(server, path, error, failure) : 0;
}
