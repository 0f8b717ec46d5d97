/*
 * Judges one path of one server.
 */
#include "gate.h"

#include <errno.h>
#include <stdlib.h>

#include "clock.h"
#include "settle.h"

#define ROUNDS_DEFAULT 5
#define CALLS_DEFAULT 10
#define WARM_UP_CALLS 3
#define LATE_PATIENCE_MS 400      /* once a round has shown where things stay */
#define CHURN_BYTES (1024 * 1024) /* per call: that much is fast */
#define NOISE_BYTES 1024          /* per call: below it, no picture climbs */

/* The profiles to compare. */
struct gate_profiles {
    struct profile heap_base;
    struct profile heap_last;
    struct profile threads_base;
    struct profile threads_last;
};

static int calls_make(struct gate *gate, const char *path, unsigned calls,
                      struct failure *failure)
{
    for (unsigned i = 0; i < calls; i++) {
        struct http *http = &gate->server.http;
        int result = http_get(http, path, &gate->server.reply, failure);
        if (result < 0) {
            return result;
        }
        /* Any answer of success will do; http_get_ok explains the others. */
        if (gate->server.reply.status < 200 || gate->server.reply.status > 299) {
            result = http_get_ok(http, path, &gate->server.reply, failure);
            return result < 0 ? result
                              : failure_set(failure, EPROTO,
                                            "%s%s: fails now and then; no verdict",
                                            http->base, path);
        }
    }
    return 0;
}

/* Waits for what the calls started to end: until everything is back where it was, or
 * stays elsewhere for longer than work takes. */
static int round_settle(struct gate *gate, struct sample *ret_sample,
                        struct failure *failure)
{
    struct settle_rule rule = settle_rule_any(&gate->server);
    if (gate->sample_count > 0) {
        rule.at_most = gate->samples[0].now;
        rule.at_most.amount[RESOURCE_HEAP] += rule.heap_jitter;
        rule.patience_ms = gate->late ? LATE_PATIENCE_MS : SETTLE_PATIENCE_MS;
    }
    int result = settle(&gate->server, &rule, ret_sample, failure);
    if (result == 0 && gate->sample_count > 0) {
        gate->late = gate->late || !settle_arrived(&rule, ret_sample);
    }
    return result;
}

static int rounds_run(struct gate *gate, const struct options *options, unsigned rounds,
                      struct gate_profiles *profiles, struct failure *failure)
{
    struct server *server = &gate->server;
    struct sample sample;
    int result = calls_make(gate, options->drive, WARM_UP_CALLS, failure);
    for (unsigned round = 0; round <= rounds && result == 0; round++) {
        if (round > 0) {
            result = calls_make(gate, options->drive, gate->calls, failure);
        }
        if (result == 0) {
            result = round_settle(gate, &sample, failure);
        }
        if (result == 0) {
            sample.calls = (int64_t)round * gate->calls;
            gate->samples[gate->sample_count++] = sample;
        }
        if (result == 0 && round == 0) {
            result = server_heap(server, true, &profiles->heap_base, failure);
            if (result == 0 && server->threads_path != NULL) {
                result = server_threads(server, &profiles->threads_base, failure);
            }
        }
    }
    if (result == 0) {
        result = server_heap(server, true, &profiles->heap_last, failure);
    }
    if (result == 0 && server->threads_path != NULL) {
        result = server_threads(server, &profiles->threads_last, failure);
    }
    return result;
}

static struct fit fit_make(const struct gate *gate, enum resource resource)
{
    int64_t calls[ROUNDS_MAX + 1] = {0};
    int64_t values[ROUNDS_MAX + 1] = {0};
    for (size_t i = 0; i < gate->sample_count; i++) {
        calls[i] = gate->samples[i].calls;
        values[i] = gate->samples[i].now.amount[resource];
    }
    return fit_rounds(calls, values, gate->sample_count);
}

/* A growth counts if it is there in every round: a cache that fills up is no leak. */
static void gate_judge(struct gate *gate, const struct options *options)
{
    gate->heap = fit_make(gate, RESOURCE_HEAP);
    gate->threads = fit_make(gate, RESOURCE_THREADS);
    gate->counts_threads = gate->samples[0].now.amount[RESOURCE_THREADS] != UNKNOWN;
    gate->over_growth =
        gate->heap.grew_every_round && gate->heap.slope > (double)options->max_growth;
    gate->over_threads =
        gate->threads.grew_every_round && gate->threads.slope > options->max_threads;
    bool climbs = gate->heap.grew_every_round && gate->heap.slope > NOISE_BYTES;
    if (gate->threads.grew_every_round) {
        gate->picture = PICTURE_THREADS;
    } else if (climbs || gate->over_growth) {
        gate->picture = PICTURE_LEAK;
    }
}

static int gate_blame(struct gate *gate, struct gate_profiles *profiles,
                      struct failure *failure)
{
    struct blame_question heap = {.what = BLAME_ALLOCATED,
                                  .base = &profiles->heap_base,
                                  .last = &profiles->heap_last};
    struct blame_question wait = {.what = BLAME_THREADS,
                                  .base = &profiles->threads_base,
                                  .last = &profiles->threads_last};
    struct blame allocated;
    int result = 0;
    if (!gate->server.is_go) {
        result = server_name_functions(&gate->server, &profiles->heap_last, failure);
    }
    if (result == 0) {
        result = blame_find(&allocated, &heap, failure);
    }
    if (result == 0) {
        heap.what = BLAME_IN_USE;
        result = blame_find(&gate->heap_blame, &heap, failure);
    }
    if (result == 0) {
        result = blame_find(&gate->wait_blame, &wait, failure);
    }
    if (result == 0) {
        int64_t calls = gate->samples[gate->sample_count - 1].calls;
        gate->total_per_call = (double)allocated.file_growth / (double)calls;
        if (gate->picture == PICTURE_FLAT && gate->total_per_call > CHURN_BYTES) {
            gate->picture = PICTURE_CHURN;
            gate->heap_blame = allocated;
        }
    }
    return result;
}

int gate_run(struct gate *gate, const struct options *options, struct failure *failure)
{
    int64_t start = clock_now_ms();
    unsigned rounds = options->rounds == 0 ? ROUNDS_DEFAULT : options->rounds;
    struct gate_profiles profiles = {0};
    *gate =
        (struct gate){.calls = options->calls == 0 ? CALLS_DEFAULT : options->calls};
    gate->samples = calloc(rounds + 1, sizeof(*gate->samples));
    int result = gate->samples == NULL
                     ? failure_set(failure, ENOMEM, "out of memory")
                     : server_open(&gate->server, options->url, failure);
    if (result == 0) {
        result = rounds_run(gate, options, rounds, &profiles, failure);
    }
    if (result == 0) {
        gate_judge(gate, options);
        result = gate_blame(gate, &profiles, failure);
    }
    profile_release(&profiles.heap_base);
    profile_release(&profiles.heap_last);
    profile_release(&profiles.threads_base);
    profile_release(&profiles.threads_last);
    gate->elapsed_ms = clock_now_ms() - start;
    return result;
}

void gate_release(struct gate *gate)
{
    server_close(&gate->server);
    free(gate->samples);
    *gate = (struct gate){0};
}
