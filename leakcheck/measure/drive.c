/*
 * A held call runs in its own thread, while the calling thread samples the server.
 */
#include "leakcheck/measure/drive.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/amount.h"
#include "base/clock.h"
#include "leakcheck/measure/own_pages.h"

#define HOLD_MS 160
#define HOLD_PAUSE_MS 6
#define HOLD_TRIES 5        /* a busy machine may sample too late */
#define HOLD_PROFILE_MS 400 /* at least so long the call is held for a profile */

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
    return leak_parse(ret_declared, server->needs_declared ? NULL : &info->leaves,
                      body->data, body->length, failure);
}

struct question_text drive_question_text(const struct question *question)
{
    struct question_text text;
    char bytes[40] = "";
    char count[24] = "";
    if (question->bytes != UNKNOWN) {
        snprintf(bytes, sizeof(bytes), "&bytes=%lld", (long long)question->bytes);
    }
    if (question->count > 1) {
        snprintf(count, sizeof(count), "&count=%u", question->count);
    }
    snprintf(text.at, sizeof(text.at), "id=%.90s%s%s", question->id, bytes, count);
    return text;
}

int drive_question(struct server *server, const struct scenario_info *info,
                   const struct question *question, struct answer *ret_answer,
                   struct failure *failure)
{
    char path[240];
    snprintf(path, sizeof(path), "/leak/%s?%s", info->name,
             drive_question_text(question).at);
    int error = http_get_ok(&server->http, path, &server->reply, failure);
    if (error < 0) {
        return error;
    }
    const struct buffer *body = &server->reply.body;
    struct failure reason = {""};
    error = answer_parse(ret_answer, body->data, body->length, &reason);
    if (error < 0) {
        return failure_set(failure, -error, "%s%s: %.300s", server->http.base, path,
                           reason.text);
    }
    return 0;
}

/* A call that runs in its own thread. */
struct held_call {
    struct http *http;
    struct http_reply reply;
    struct failure failure;
    char path[160];
    int error;
    int64_t began_ms; /* clock_now_ms */
    int64_t ended_ms;
    atomic_bool done;
};

static void *held_call_main(void *argument)
{
    struct held_call *call = argument;
    call->began_ms = clock_now_ms();
    call->error = http_get_ok(call->http, call->path, &call->reply, &call->failure);
    call->ended_ms = clock_now_ms();
    atomic_store(&call->done, true);
    return NULL;
}

/* Nothing above the amounts before; UNKNOWN for what is not counted. */
static struct resources peak_start(const struct resources *before)
{
    struct resources peak;
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        peak.amount[i] = before->amount[i] == UNKNOWN ? UNKNOWN : 0;
    }
    return peak;
}

static void peak_raise(struct resources *peak, const struct resources *before,
                       const struct resources *now)
{
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        bool known = before->amount[i] != UNKNOWN && now->amount[i] != UNKNOWN;
        int64_t above = known ? now->amount[i] - before->amount[i] : UNKNOWN;
        if (above > peak->amount[i]) {
            peak->amount[i] = above;
        }
    }
}

/* Samples the server while the call is under way. A sample that comes after its end
 * shows nothing of it. *ret_last_ms is when the last of the others began; 0: there is
 * none. */
static int held_sample(struct server *server, const struct held_call *call,
                       const struct resources *before, struct resources *peak,
                       int64_t *ret_last_ms, struct failure *failure)
{
    int error = 0;
    *ret_last_ms = 0;
    while (error == 0 && !atomic_load(&call->done)) {
        struct status now;
        int64_t begin_ms = clock_now_ms();
        error = server_status(server, &now, failure);
        if (error == 0 && !atomic_load(&call->done)) {
            peak_raise(peak, before, &now.now);
            *ret_last_ms = begin_ms;
        }
        clock_sleep_ms(HOLD_PAUSE_MS);
    }
    return error;
}

/* Whether a sample that began at this time shows the peak. The call waits for HOLD_MS
 * at its peak and then ends, so in its last HOLD_MS it has reached that. Before, it may
 * still be on its way. A call that took less was not held. */
static bool shows_peak(const struct held_call *call, int64_t sample_ms)
{
    return call->ended_ms - call->began_ms >= HOLD_MS / 2 &&
           sample_ms > call->ended_ms - HOLD_MS;
}

/* Starts a call that is held for so long. */
static int held_begin(struct held_call *call, pthread_t *thread, struct http *own,
                      const struct scenario_info *info, int hold_ms,
                      struct failure *failure)
{
    *call = (struct held_call){.http = own};
    snprintf(call->path, sizeof(call->path), "/leak/%s?id=leakcheck-%u&hold=%d",
             info->name, next_serial(), hold_ms);
    return pthread_create(thread, NULL, held_call_main, call) == 0
               ? 0
               : failure_set(failure, EAGAIN, "cannot start a thread");
}

/* Waits for its end. `error` is what went wrong meanwhile; if nothing did, the call may
 * have failed. */
static int held_end(struct held_call *call, pthread_t thread, int error,
                    struct failure *failure)
{
    pthread_join(thread, NULL);
    http_reply_release(&call->reply);
    if (error == 0 && call->error < 0) {
        *failure = call->failure;
        error = call->error;
    }
    return error;
}

/* Makes one held call. *ret_shown is whether its peak was sampled. */
static int held_try(struct server *server, struct http *own,
                    const struct scenario_info *info, struct resources *ret_peak,
                    bool *ret_shown, struct failure *failure)
{
    struct status before;
    int error = server_status(server, &before, failure);
    if (error < 0) {
        return error;
    }
    struct held_call call;
    pthread_t thread;
    error = held_begin(&call, &thread, own, info, HOLD_MS, failure);
    if (error < 0) {
        return error;
    }
    *ret_peak = peak_start(&before.now);
    int64_t last_ms;
    error = held_sample(server, &call, &before.now, ret_peak, &last_ms, failure);
    error = held_end(&call, thread, error, failure);
    *ret_shown = shows_peak(&call, last_ms);
    return error;
}

int drive_held(struct server *server, struct http *own,
               const struct scenario_info *info, struct resources *ret_peak,
               struct failure *failure)
{
    bool shown = false;
    for (int i = 0; i < HOLD_TRIES && !shown; i++) {
        int error = held_try(server, own, info, ret_peak, &shown, failure);
        if (error < 0) {
            return error;
        }
    }
    if (shown) {
        return 0;
    }
    return failure_set(failure, ENODATA,
                       "%s/leak/%s?hold=%d: the call is over before anything can be "
                       "measured; no verdict",
                       server->http.base, info->name, HOLD_MS);
}

/* Waits until the call holds so much, and then takes the profile. One that was taken
 * while the call ended shows nothing. */
static int held_profile(struct server *server, struct held_call *call,
                        enum resource resource, int64_t level,
                        struct profile *ret_profile, bool *ret_taken,
                        struct failure *failure)
{
    struct status now;
    int error = 0;
    while (error == 0 && !atomic_load(&call->done)) {
        error = server_status(server, &now, failure);
        if (error == 0 && now.now.amount[resource] >= level) {
            *ret_taken = own_counts_try(server, own_page_of(resource), ret_profile);
            break;
        }
        clock_sleep_ms(HOLD_PAUSE_MS);
    }
    if (*ret_taken && atomic_load(&call->done)) {
        profile_release(ret_profile);
        *ret_taken = false;
    }
    return error;
}

int drive_held_profile(struct server *server, struct http *own,
                       const struct scenario_info *info, enum resource resource,
                       int64_t held, struct profile *ret_profile, bool *ret_taken,
                       struct failure *failure)
{
    int error = 0;
    *ret_taken = false;
    for (int i = 0; i < HOLD_TRIES && error == 0 && !*ret_taken; i++) {
        struct status before;
        struct held_call call;
        pthread_t thread;
        if (server->own_pages[own_page_of(resource)].refused) {
            break;
        }
        error = server_status(server, &before, failure);
        if (error == 0) {
            error = held_begin(&call, &thread, own, info, HOLD_PROFILE_MS, failure);
        }
        if (error == 0) {
            int64_t level = amount_add(before.now.amount[resource], held);
            error = held_profile(server, &call, resource, level, ret_profile, ret_taken,
                                 failure);
            error = held_end(&call, thread, error, failure);
        }
    }
    if (error < 0 && *ret_taken) {
        profile_release(ret_profile);
    }
    return error;
}
