/*
 * Two URLs of one server share a connection: some servers serve one at a time.
 */
#include "leakcheck/measure/caller.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "leakcheck/measure/command.h"

#define BODY_SHOWN 200 /* characters of a reply that nobody expected */

int caller_url_open(const char *url, struct http *http, const char **ret_path,
                    struct failure *failure)
{
    char server[sizeof(http->given)];
    const char *host = strstr(url, "://");
    host = host == NULL ? url : host + 3;
    size_t length = (size_t)(host - url) + strcspn(host, "/");
    if (length >= sizeof(server)) {
        return failure_set(failure, EINVAL, "--drive: the server's name is too long");
    }
    memcpy(server, url, length);
    server[length] = '\0';
    *ret_path = url[length] == '\0' ? "/" : url + length;
    return http_open(http, server, failure);
}

/* Finds the connection that goes to the same server with the same password; NULL if
 * there is none. */
static struct http *same_find(struct caller *caller, struct http *profiles,
                              const struct http *opened)
{
    if (strcmp(profiles->given, opened->given) == 0) {
        return profiles;
    }
    for (size_t i = 0; i < caller->own_count; i++) {
        if (strcmp(caller->own[i].given, opened->given) == 0) {
            return &caller->own[i];
        }
    }
    return NULL;
}

static int target_open(struct caller *caller, const char *drive, struct http *profiles,
                       struct call_target *target, struct failure *failure)
{
    if (drive[0] == '/') {
        *target = (struct call_target){.http = profiles, .path = drive};
        return 0;
    }
    struct http opened;
    int error = caller_url_open(drive, &opened, &target->path, failure);
    if (error < 0) {
        return error;
    }
    target->http = same_find(caller, profiles, &opened);
    if (target->http != NULL) {
        http_close(&opened);
        return 0;
    }
    http_deadline(&opened, caller->deadline_ms);
    target->http = &caller->own[caller->own_count++];
    *target->http = opened;
    return 0;
}

int caller_open(struct caller *caller, const struct call_settings *settings,
                struct http *profiles, int64_t deadline_ms, struct failure *failure)
{
    *caller = (struct caller){.settings = settings, .deadline_ms = deadline_ms};
    caller->targets = calloc(settings->drive_count + 1, sizeof(*caller->targets));
    caller->own = calloc(settings->drive_count + 1, sizeof(*caller->own));
    if (caller->targets == NULL || caller->own == NULL) {
        return failure_set(failure, ENOMEM, "out of memory");
    }
    int error = 0;
    for (size_t i = 0; i < settings->drive_count && error == 0; i++) {
        error = target_open(caller, settings->drives[i], profiles, &caller->targets[i],
                            failure);
    }
    return error;
}

/* Says what came back in place of the status that --expect names. */
static int expected_refuse(const struct caller *caller,
                           const struct call_target *target, struct failure *failure)
{
    const struct buffer *body = &caller->reply.body;
    int shown = body->length > BODY_SHOWN ? BODY_SHOWN : (int)body->length;
    return failure_set(failure, EPROTO, "%s%s: answered %ld, not %lld%s%.*s",
                       target->http->base, target->path, caller->reply.status,
                       (long long)caller->settings->expect, shown == 0 ? "" : ": ",
                       shown, shown == 0 ? "" : body->data);
}

static int target_call(struct caller *caller, const struct call_target *target,
                       struct failure *failure)
{
    const struct call_settings *settings = caller->settings;
    const struct http_request request = {.method = settings->method,
                                         .path = target->path,
                                         .body = settings->body,
                                         .headers = settings->headers,
                                         .header_count = settings->header_count};
    int error = http_send(target->http, &request, &caller->reply, failure);
    long status = caller->reply.status;
    if (error < 0 || (settings->expect != 0 && status == settings->expect)) {
        return error;
    }
    if (settings->expect != 0) {
        return expected_refuse(caller, target, failure);
    }
    return status >= 200 && status <= 299
               ? 0
               : http_refusal(target->http, target->path, &caller->reply, failure);
}

int caller_make(struct caller *caller, unsigned calls, struct failure *failure)
{
    const struct call_settings *settings = caller->settings;
    int error = 0;
    for (unsigned i = 0; i < calls && error == 0; i++) {
        error = settings->command != NULL
                    ? command_run(settings->command, caller->deadline_ms, failure)
                    : target_call(caller, &caller->targets[i % settings->drive_count],
                                  failure);
    }
    return error;
}

void caller_before_sample(struct caller *caller)
{
    for (size_t i = 0; i < caller->own_count && caller->hangs_up; i++) {
        http_hang_up(&caller->own[i]);
    }
}

void caller_after_sample(struct caller *caller)
{
    for (size_t i = 0; i < caller->own_count; i++) {
        caller->hangs_up = caller->hangs_up || http_is_hung_up(&caller->own[i]);
    }
}

unsigned caller_share(const struct caller *caller, unsigned calls, size_t index)
{
    unsigned count = (unsigned)caller->settings->drive_count;
    return calls / count + (index < calls % count ? 1 : 0);
}

void caller_close(struct caller *caller)
{
    for (size_t i = 0; i < caller->own_count; i++) {
        http_close(&caller->own[i]);
    }
    free(caller->own);
    free(caller->targets);
    http_reply_release(&caller->reply);
    *caller = (struct caller){0};
}
