/*
 * The order of the steps: open, baseline, rounds, last profiles, blame. An error in any
 * step ends the run without a verdict.
 */
#include "leakcheck/judge/gate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "leakcheck/judge/gate_blame.h"
#include "leakcheck/judge/gate_growth.h"
#include "leakcheck/measure/settle.h"

#define WARM_UP_CALLS 3      /* of each URL */
#define LATE_PATIENCE_MS 400 /* after a round did not return to the baseline */

/* Makes calls, and checks that they went to the program that leakcheck started. */
static int calls_make(struct gate *gate, unsigned calls, struct failure *failure)
{
    int error = caller_make(&gate->caller, calls, failure);
    return error == 0 && gate->program.command != NULL
               ? program_check(&gate->program, &gate->caller, failure)
               : error;
}

/* Waits until the work of the calls is over: until all amounts are back at the
 * baseline, or stay away from it for longer than work takes. */
static int round_settle(struct gate *gate, struct sample *ret_sample,
                        struct failure *failure)
{
    struct settle_rule rule = settle_rule_any(&gate->server);
    rule.at_most = gate->sample_count > 0 ? gate->samples[0].now : gate->idle;
    rule.at_most.amount[RESOURCE_HEAP] += rule.heap_jitter;
    rule.patience_ms = gate->late ? LATE_PATIENCE_MS : SETTLE_PATIENCE_MS;
    int error = settle(&gate->server, &rule, ret_sample, failure);
    if (error == 0 && gate->sample_count > 0) {
        gate->late = gate->late || !settle_arrived(&rule, ret_sample);
    }
    return error;
}

/* Takes the next sample. The bytes ever allocated can only rise. If they fall, the
 * server was restarted. */
static int round_sample(struct gate *gate, struct failure *failure)
{
    struct sample sample;
    caller_before_sample(&gate->caller);
    int error = round_settle(gate, &sample, failure);
    caller_after_sample(&gate->caller);
    if (error < 0) {
        return error;
    }
    if (gate->sample_count > 0) {
        const struct sample *before = &gate->samples[gate->sample_count - 1];
        sample.calls = before->calls + gate->calls;
        /* An estimate from samples may fall a little, so there it proves nothing. */
        if (gate->counts_allocations && gate->server.heap_step == 0 &&
            sample.now.amount[RESOURCE_TOTAL] < before->now.amount[RESOURCE_TOTAL]) {
            return server_restarted(&gate->server, failure);
        }
    }
    gate->samples[gate->sample_count++] = sample;
    return 0;
}

static int rounds_drive(struct gate *gate, size_t rounds, struct failure *failure)
{
    int error = 0;
    if (gate->progress != NULL) {
        atomic_fetch_add(&gate->progress->planned, (unsigned)rounds);
    }
    for (size_t round = 0; round < rounds && error == 0; round++) {
        error = calls_make(gate, gate->calls, failure);
        if (error == 0) {
            error = round_sample(gate, failure);
        }
        if (gate->progress != NULL) {
            atomic_fetch_add(&gate->progress->done, 1);
        }
    }
    return error;
}

/* Takes both profiles. The thread profile may be missing: it only shows where threads
 * wait. */
static int profiles_take(struct gate *gate, struct profile *heap,
                         struct profile *threads, struct failure *failure)
{
    int error = server_heap(&gate->server, true, heap, failure);
    if (error == 0) {
        server_threads_try(&gate->server, threads);
    }
    return error;
}

/* Whether the profile also counts freed allocations. gperftools' sampler, for one,
 * knows only what is in use, and writes it twice. */
static bool allocations_are_counted(const struct profile *profile)
{
    return profile->totals.alloc_bytes != profile->totals.inuse_bytes;
}

/* How many calls come before the baseline: of a program that was just started a whole
 * round, because everything in it happens for the first time. */
static unsigned warm_up_calls(const struct gate *gate)
{
    size_t drives = gate->caller.settings->drive_count;
    unsigned calls = WARM_UP_CALLS * (drives == 0 ? 1 : (unsigned)drives);
    return gate->program.command != NULL && gate->calls > calls ? gate->calls : calls;
}

/* The connections of the calls stay open: each may take a descriptor and a thread. */
static void connections_add(struct gate *gate)
{
    static const enum resource taken[] = {RESOURCE_FDS, RESOURCE_THREADS};
    for (size_t i = 0; i < 2; i++) {
        if (gate->idle.amount[taken[i]] != UNKNOWN) {
            gate->idle.amount[taken[i]] += (int64_t)gate->caller.own_count;
        }
    }
}

/* Takes the profiles that are taken after the baseline. The server reads the debug
 * information for the first of them, and what it keeps of that and of the last ones
 * must be in the baseline: it is memory that no call has left behind. */
static int names_warm_up(struct gate *gate, struct failure *failure)
{
    struct profile heap = {0};
    struct profile threads = {0};
    int error = profiles_take(gate, &heap, &threads, failure);
    profile_release(&heap);
    profile_release(&threads);
    return error;
}

/* Takes the first sample. Warm-up calls come before it, and it waits until their work
 * is over: if that work were in the baseline, the baseline would be too high and could
 * hide a leak. Also measures what the server allocates because of the sampling alone,
 * which must not count as growth of the calls. */
static int baseline_take(struct gate *gate, struct gate_profiles *profiles,
                         struct failure *failure)
{
    struct sample sampling;
    int error = sample_take(&gate->server, &sampling, false, NULL, failure);
    if (error == 0) {
        gate->idle = sampling.now;
        connections_add(gate);
        error = calls_make(gate, warm_up_calls(gate), failure);
    }
    if (error == 0) {
        gate_bases_take(gate, profiles);
        error = names_warm_up(gate, failure);
    }
    if (error == 0) {
        error = round_sample(gate, failure);
    }
    if (error == 0) {
        error = server_heap(&gate->server, true, &profiles->heap_idle, failure);
    }
    if (error == 0) {
        error = sample_take(&gate->server, &sampling, false, NULL, failure);
    }
    if (error == 0) {
        error =
            profiles_take(gate, &profiles->heap_base, &profiles->threads_base, failure);
    }
    if (error == 0) {
        const struct profile *heap = &profiles->heap_base;
        gate->counts_allocations = allocations_are_counted(heap);
        bool sampled =
            heap->format == PROFILE_SAMPLED || heap->format == PROFILE_SAMPLED_PROTO;
        gate->heap_period = sampled ? heap->period : 1;
    }
    return error;
}

/* Fails if a limit that the user set cannot be judged, or if nothing can be judged. */
static int limits_check(const struct gate *gate, struct failure *failure)
{
    bool any = false;
    for (size_t i = 0; i < gate_judged_count; i++) {
        enum resource resource = gate_judged[i];
        const struct gate_resource *judged = &gate->resources[resource];
        any = any || judged->measured;
        if (judged->limit.asked && !judged->measured) {
            return failure_set(
                failure, ENOTSUP,
                "a limit was asked for, but %s cannot be measured: "
                "%.200s%s; no verdict",
                resource_name(resource), gate_missing_reason(gate, resource),
                resource == RESOURCE_HEAP ? "" : "; --pid PID counts in /proc");
        }
    }
    if (!any) {
        return failure_set(failure, ENOTSUP,
                           "nothing of %s could be measured: heap: %.200s; no verdict",
                           gate->server.http.base, gate->heap_reason);
    }
    return 0;
}

static bool has_moved(const struct mapping *before, const struct mapping *after)
{
    return before->start != after->start && strcmp(before->path, after->path) == 0;
}

/* Detects a restart. The program's own mapping and the highest mapping (usually the
 * dynamic linker) must be unchanged: a restart moves at least one of them. */
static int restart_check(const struct gate *gate, const struct gate_profiles *profiles,
                         struct failure *failure)
{
    const struct profile *base = &profiles->heap_base;
    const struct profile *last = &profiles->heap_last;
    if (base->mapping_count == 0 || last->mapping_count == 0 ||
        (strcmp(base->mappings[0].path, last->mappings[0].path) == 0 &&
         !has_moved(&base->mappings[0], &last->mappings[0]) &&
         !has_moved(&base->mappings[base->mapping_count - 1],
                    &last->mappings[last->mapping_count - 1]))) {
        return 0;
    }
    return server_restarted(&gate->server, failure);
}

/* Finds out, from the first sample, which resources cannot be counted. */
static int baseline_check(struct gate *gate, struct failure *failure)
{
    for (size_t i = 0; i < gate_judged_count; i++) {
        gate->resources[gate_judged[i]].measured =
            gate_is_counted(gate, gate_judged[i]);
    }
    return limits_check(gate, failure);
}

/* Makes all rounds, and as many more as a verdict that is still open needs. */
static int rounds_run(struct gate *gate, const struct gate_settings *settings,
                      struct failure *failure)
{
    size_t rounds = settings->rounds;
    int error = 0;
    gate->rounds_first = rounds;
    while (rounds > 0 && error == 0) {
        error = rounds_drive(gate, rounds, failure);
        if (error == 0) {
            gate_judge(gate);
            rounds = gate_rounds_missing(gate);
        }
    }
    if (error < 0) {
        return error;
    }
    error = limits_check(gate, failure);
    if (error == 0 && !gate_is_over(gate)) {
        error = gate_check_clarity(gate, failure);
    }
    gate_drop_unclear(gate);
    return error;
}

/* Does all measuring, with the profiles before and after the rounds. */
static int gate_measure(struct gate *gate, const struct gate_settings *settings,
                        struct gate_profiles *profiles, struct failure *failure)
{
    int error = baseline_take(gate, profiles, failure);
    if (error == 0) {
        error = baseline_check(gate, failure);
    }
    if (error == 0) {
        error = rounds_run(gate, settings, failure);
    }
    if (error == 0) {
        error =
            profiles_take(gate, &profiles->heap_last, &profiles->threads_last, failure);
    }
    return error == 0 ? restart_check(gate, profiles, failure) : error;
}

/* Checks the file of --binary early: a typing error must not silently lead to a report
 * without function names. */
static int binary_check(const char *path, struct failure *failure)
{
    if (path == NULL || access(path, R_OK) == 0) {
        return 0;
    }
    int error = errno;
    return failure_set(failure, error, "--binary %.200s: %s", path, strerror(error));
}

/* Connects to the server, which a program that leakcheck started is, too. */
static int server_find(struct gate *gate, const struct gate_settings *settings,
                       int64_t deadline_ms, struct failure *failure)
{
    bool started = settings->run != NULL;
    const char *url = started ? gate->program.url : settings->url;
    int error = server_open(&gate->server, url, deadline_ms, failure);
    gate->server.binary = settings->binary;
    int pid = started ? gate->program.pid : settings->pid;
    if (error == 0 && pid != 0) {
        error = server_watch_process(&gate->server, pid, failure);
    }
    return error;
}

static int gate_open(struct gate *gate, const struct gate_settings *settings,
                     int64_t deadline_ms, struct failure *failure)
{
    int error = binary_check(settings->binary, failure);
    if (error == 0 && settings->run != NULL) {
        error = program_start(&gate->program, settings->run, failure);
    }
    if (error == 0 && settings->run != NULL) {
        error = program_await(&gate->program, &settings->call, deadline_ms, failure);
    }
    if (error == 0) {
        error = server_find(gate, settings, deadline_ms, failure);
    }
    return error == 0 ? caller_open(&gate->caller, &settings->call, &gate->server.http,
                                    deadline_ms, failure)
                      : error;
}

/* Ends what was started. If the program has ended by itself, that is the failure. */
static void started_end(struct gate *gate, const struct gate_settings *settings,
                        int error, struct failure *failure)
{
    if (error < 0) {
        program_explain(&gate->program, failure);
    }
    program_stop(&gate->program);
    if (settings->call.command != NULL) {
        child_end_all(0);
    }
}

int gate_run(struct gate *gate, const struct gate_settings *settings,
             struct failure *failure)
{
    int64_t start = clock_now_ms();
    int64_t deadline_ms = start + (int64_t)settings->timeout_secs * 1000;
    struct gate_profiles profiles = {0};
    *gate = (struct gate){.trends = settings->rounds >= TREND_ROUNDS_MIN,
                          .calls = settings->calls,
                          .progress = settings->progress};
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        gate->resources[i].limit = settings->limits[i];
    }
    gate->samples =
        calloc(gate_rounds_most(settings->rounds) + 1, sizeof(*gate->samples));
    int error = gate->samples == NULL ? failure_set(failure, ENOMEM, "out of memory")
                                      : gate_open(gate, settings, deadline_ms, failure);
    if (error == 0) {
        error = gate_measure(gate, settings, &profiles, failure);
    }
    if (error == 0) {
        error = gate_blame(gate, &settings->own, &profiles, failure);
    }
    started_end(gate, settings, error, failure);
    profile_release(&profiles.heap_idle);
    profile_release(&profiles.heap_base);
    profile_release(&profiles.heap_last);
    profile_release(&profiles.threads_base);
    profile_release(&profiles.threads_last);
    profile_release(&profiles.retained_base);
    made_base_release(&profiles.made);
    proof_base_release(&profiles.proof);
    gate->elapsed_ms = clock_now_ms() - start;
    return error;
}

void gate_release(struct gate *gate)
{
    caller_close(&gate->caller); /* some of its calls use the server's connection */
    server_close(&gate->server);
    free(gate->samples);
    *gate = (struct gate){0};
}
