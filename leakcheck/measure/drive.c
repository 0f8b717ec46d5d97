/*
 * A held call runs in its own thread, while the calling thread samples the server.
 */
#include "leakcheck/measure/drive.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"

#define HOLD_MS 160
#define HOLD_PAUSE_MS 6

/* Every call gets a new id, so that a cache never finds an earlier entry. */
static unsigned next_serial(void)
{
    static atomic_uint serial;
    return atomic_fetch_add(&serial, 1);
}

int drive_scenario(struct server *server, const struct scenario_info *info,
                   int64_t bytes, struct resources *ret_declared,
                   struct failure *failure)
{
    char path[160];
    int length = snprintf(path, sizeof(path), "/leak/%s?id=leakcheck-%u", info->name,
                          next_serial());
    if (bytes != UNKNOWN) {
        snprintf(path + length, sizeof(path) - (size_t)length, "&bytes=%lld",
                 (long long)bytes);
    }
    int error = http_get_ok(&server->http, path, &server->reply, failure);
    if (error < 0) {
        return error;
    }
    const struct buffer *body = &server->reply.body;
    return leak_parse(ret_declared, body->data, body->length, failure);
}

/* A call that runs in its own thread. */
struct held_call {
    struct http *http;
    struct http_reply reply;
    struct failure failure;
    char path[160];
    int error;
    atomic_bool done;
};

static void *held_call_main(void *argument)
{
    struct held_call *call = argument;
    call->error = http_get_ok(call->http, call->path, &call->reply, &call->failure);
    atomic_store(&call->done, true);
    return NULL;
}

static void peak_raise(struct resources *peak, const struct resources *before,
                       const struct resources *now)
{
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        int64_t above = now->amount[i] - before->amount[i];
        if (above > peak->amount[i]) {
            peak->amount[i] = above;
        }
    }
}

int drive_held(struct server *server, struct http *own,
               const struct scenario_info *info, struct resources *ret_peak,
               struct failure *failure)
{
    struct status before;
    int error = server_status(server, &before, failure);
    if (error < 0) {
        return error;
    }
    struct held_call call = {.http = own};
    snprintf(call.path, sizeof(call.path), "/leak/%s?id=leakcheck-%u&hold=%d",
             info->name, next_serial(), HOLD_MS);
    pthread_t thread;
    if (pthread_create(&thread, NULL, held_call_main, &call) != 0) {
        return failure_set(failure, EAGAIN, "cannot start a thread");
    }
    struct resources peak = {{0}};
    while (error == 0 && !atomic_load(&call.done)) {
        struct status now;
        error = server_status(server, &now, failure);
        if (error == 0) {
            peak_raise(&peak, &before.now, &now.now);
        }
        clock_sleep_ms(HOLD_PAUSE_MS);
    }
    pthread_join(thread, NULL);
    http_reply_release(&call.reply);
    if (error == 0 && call.error < 0) {
        *failure = call.failure;
        error = call.error;
    }
    *ret_peak = peak;
    return error;
}
