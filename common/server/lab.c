/*
 * Running scenarios: what a request asks for becomes a plan, which runs whole or not at
 * all, within the guard rails.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/http/json.h"
#include "server/guard.h"
#include "server/reply.h"
#include "server/server_private.h"
#include "variant.h"

#define MIB (1024UL * 1024)

/* One scenario of a request, and the main size of its calls. */
struct step {
    const struct scenario *scenario;
    size_t bytes;
};

/* What a request asks for: each step once, and that `count` times. */
struct plan {
    const char *name; /* of the scenario or family, or "combined" */
    const char *id;
    unsigned count;
    unsigned hold_ms;
    bool is_scenario; /* it is one scenario, not a family or the combined request */
    size_t step_count;
    struct step *steps; /* room for scenario_count */
};

/* The documents' own request. */
static const char *const combined[] = {"thread-loop", "http-body", "slice-prefix"};

void lab_add_amounts(cJSON *json, const struct scenario_amount *amount, size_t bytes,
                     unsigned count)
{
    cJSON_AddNumberToObject(json, "heap_bytes",
                            (double)count * (double)scenario_heap_bytes(amount, bytes));
    cJSON_AddNumberToObject(json, "threads", (double)count * amount->threads);
    cJSON_AddNumberToObject(json, "fds", (double)count * amount->fds);
    cJSON_AddNumberToObject(json, "timers", (double)count * amount->timers);
}

/* What the whole plan leaves on the leaky server. The steps have main sizes of their
 * own, so the sum of their heap is not in blocks. */
static void add_declared(cJSON *json, const struct plan *plan)
{
    struct scenario_amount sum = {0};
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct scenario_amount *leaves = &plan->steps[i].scenario->leaves;
        sum.extra_bytes += scenario_heap_bytes(leaves, plan->steps[i].bytes);
        sum.threads += leaves->threads;
        sum.fds += leaves->fds;
        sum.timers += leaves->timers;
    }
    lab_add_amounts(cJSON_AddObjectToObject(json, "declared"), &sum, 0, plan->count);
}

/* What one call needs until it ends, beyond what it leaves: what it holds at its peak,
 * and what either half uses while it works. That is at most two blocks of the main size
 * on the heap; or, in a scenario with blocks on the stack, those blocks, which count
 * against the heap's ceiling. The small stack that every thread has, some ten KiB
 * resident, is not counted: the ceiling of threads bounds it. */
static struct guard_need need_of_call(const struct step *step)
{
    const struct scenario *scenario = step->scenario;
    const struct scenario_amount *holds = &scenario->holds;
    size_t bytes = step->bytes;
    size_t main_sizes = holds->stack_blocks > 0 ? holds->stack_blocks : 2;
    return (struct guard_need){
        .heap_bytes = scenario_heap_bytes(holds, bytes) + main_sizes * bytes,
        .threads = holds->threads + scenario->working_threads,
        .fds = holds->fds,
        .timers = holds->timers,
    };
}

static void keep_larger(struct guard_need *need, const struct guard_need *other)
{
    if (other->heap_bytes > need->heap_bytes) {
        need->heap_bytes = other->heap_bytes;
    }
    if (other->threads > need->threads) {
        need->threads = other->threads;
    }
    if (other->fds > need->fds) {
        need->fds = other->fds;
    }
    if (other->timers > need->timers) {
        need->timers = other->timers;
    }
}

/* What a plan may need at most. What its calls leave adds up; what a call needs only
 * until it ends is needed once, because the calls run one after another. Each half also
 * uses a few buffers and, if it opens any, a few more descriptors. */
static struct guard_need need_of(const struct plan *plan)
{
    struct guard_need need = {.heap_bytes = MIB};
    struct guard_need working = {0};
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct step *step = &plan->steps[i];
        const struct scenario_amount *leaves = &step->scenario->leaves;
        need.heap_bytes += plan->count * scenario_heap_bytes_most(leaves, step->bytes);
        need.threads += plan->count * leaves->threads;
        need.fds += plan->count * leaves->fds;
        need.timers += plan->count * leaves->timers;
        struct guard_need call = need_of_call(step);
        keep_larger(&working, &call);
    }
    need.heap_bytes += working.heap_bytes;
    need.threads += working.threads;
    need.fds += working.fds;
    need.timers += working.timers;
    need.fds += need.fds > 0 ? 8 : 0;
    return need;
}

/* Answers for a step that failed with `error` when `done` rounds were complete. */
static void refuse_failed(struct request *request, const struct step *step, int error,
                          unsigned done)
{
    static const struct {
        int error;
        int status;
        const char *code;
        const char *hint;
    } reasons[] = {
        {ENOMEM, 503, "heap_limit", REPLY_RESTART_OR_RAISE("--max-heap")},
        {ENOSPC, 503, "heap_limit", REPLY_RESTART "; it keeps no more"},
        {EAGAIN, 503, "thread_limit",
         REPLY_RESTART "; the system starts no more threads or timers for it"},
        {EMFILE, 503, "fd_limit", REPLY_RESTART_OR_RAISE("--max-fds")},
        {ECANCELED, 503, "stopping", "the server is being stopped"},
        {ETIME, 503, "time_limit", "ask for fewer calls at a time"},
        {ECONNREFUSED, 502, "upstream_failed", "see what --upstream points to"},
        {EPROTO, 502, "upstream_failed", "see what --upstream points to"},
        {ETIMEDOUT, 502, "upstream_failed", "see what --upstream points to"},
    };
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].error == -error) {
            reply_error(request, reasons[i].status, reasons[i].code, reasons[i].hint,
                        "%s failed after %u complete calls: %s", step->scenario->name,
                        done, strerror(-error));
            return;
        }
    }
    reply_error(request, 500, "scenario_failed",
                "see the server's directory and limits",
                "%s failed after %u complete calls: %s", step->scenario->name, done,
                strerror(-error));
}

/* Whether the next call may begin: 0, or why not. A client that asked for ten thousand
 * slow calls and has gone must not hold a worker for ever. */
static int check_time(struct server *server, const struct timespec *start)
{
    int error = context_error(&server->running);
    if (error == 0 && server_milliseconds_since(start) > LEAK_TIME_MAX_MS) {
        error = -ETIME;
    }
    return error;
}

/* Runs the plan, which began at `start`. Returns 0, or -errno with the step and the
 * complete rounds. */
static int run_plan(struct server *server, const struct plan *plan,
                    const struct timespec *start, const struct step **ret_step,
                    unsigned *ret_done)
{
    for (unsigned round = 0; round < plan->count; round++) {
        for (size_t i = 0; i < plan->step_count; i++) {
            const struct step *step = &plan->steps[i];
            struct scenario_request call = {
                .id = plan->id,
                .bytes = step->bytes,
                .hold_ms = plan->hold_ms,
                .upstream_url = server->settings->upstream_url,
                .directory = server->settings->directory,
                .context = &server->running,
            };
            int error = check_time(server, start);
            if (error == 0) {
                error = step->scenario->run(&call);
            }
            if (error != 0) {
                *ret_step = step;
                *ret_done = round;
                return error;
            }
            atomic_fetch_add(&server->calls[scenario_index(step->scenario)], 1);
        }
    }
    return 0;
}

static void reply_done(struct request *request, const struct plan *plan,
                       double elapsed_ms)
{
    double bytes = 0; /* of several scenarios: all their main sizes together */
    for (size_t i = 0; i < plan->step_count; i++) {
        bytes += (double)plan->steps[i].bytes;
    }
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "server", variant.name);
    cJSON_AddStringToObject(json, "scenario", plan->name);
    cJSON_AddStringToObject(json, "id", plan->id);
    cJSON_AddNumberToObject(json, "count", plan->count);
    cJSON_AddNumberToObject(json, "bytes", bytes);
    add_declared(json, plan);
    if (!plan->is_scenario) {
        cJSON *steps = cJSON_AddArrayToObject(json, "scenarios");
        for (size_t i = 0; i < plan->step_count; i++) {
            const struct step *step = &plan->steps[i];
            cJSON *item = probe_json_add_object(steps);
            cJSON_AddStringToObject(item, "scenario", step->scenario->name);
            cJSON_AddNumberToObject(item, "bytes", (double)step->bytes);
            lab_add_amounts(cJSON_AddObjectToObject(item, "declared"),
                            &step->scenario->leaves, step->bytes, plan->count);
        }
    }
    cJSON_AddNumberToObject(json, "elapsed_ms", round(elapsed_ms * 1000) / 1000);
    reply_json(request, 200, json);
}

/* Runs the plan within the guard rails, and answers. */
static void execute(struct request *request, const struct plan *plan)
{
    struct guard_need need = need_of(plan);
    struct guard_refusal refusal;
    int error = guard_enter(request->server->settings->options, &need, &refusal);
    if (error == -EAGAIN) {
        /* A restart cannot help where even an empty server would refuse. */
        bool alone = refusal.need > refusal.limit;
        char hint[128];
        snprintf(hint, sizeof(hint),
                 alone ? "ask for less, or start the server with a larger %s"
                       : REPLY_RESTART_OR_RAISE("%s"),
                 refusal.option);
        reply_error(
            request, 503, refusal.code, hint,
            "%zu %s are in use, this request may need %zu more, the limit is %zu",
            refusal.in_use, refusal.what, refusal.need, refusal.limit);
        return;
    }
    if (error != 0) {
        reply_uncounted(request, error);
        return;
    }
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    const struct step *failed = NULL;
    unsigned done = 0;
    error = run_plan(request->server, plan, &start, &failed, &done);
    guard_leave(&need);
    if (error != 0) {
        refuse_failed(request, failed, error, done);
        return;
    }
    reply_done(request, plan, server_milliseconds_since(&start));
}

enum { ID, COUNT, BYTES, HOLD, PARAMETERS };

/* Sets the main size of every step: the client's, or the scenario's own. */
static bool size_steps(struct request *request, struct plan *plan,
                       const struct parameter *bytes)
{
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct scenario *scenario = plan->steps[i].scenario;
        plan->steps[i].bytes = bytes->present ? bytes->number : scenario->bytes_default;
        if (plan->steps[i].bytes < scenario->bytes_min ||
            plan->steps[i].bytes > scenario->bytes_max) {
            char hint[96];
            snprintf(hint, sizeof(hint), "bytes is a size from %zu to %zu",
                     scenario->bytes_min, scenario->bytes_max);
            reply_error(request, 400, "bad_parameter", hint,
                        "bytes is out of range for %s", scenario->name);
            return false;
        }
    }
    return true;
}

/* Refuses a plan whose calls together hold too long: they keep a worker, even when the
 * client has gone. Only temporary scenarios hold; a plan without any is checked as if
 * it had one, so that the same parameters are refused everywhere. */
static bool check_hold(struct request *request, const struct plan *plan)
{
    uint64_t holding = 0;
    for (size_t i = 0; i < plan->step_count; i++) {
        holding += plan->steps[i].scenario->kind == SCENARIO_TEMPORARY;
    }
    holding = holding == 0 ? 1 : holding;
    uint64_t all_ms = holding * plan->count * plan->hold_ms;
    if (all_ms <= LEAK_HOLD_ALL_MAX_MS) {
        return true;
    }
    char hint[96];
    snprintf(hint, sizeof(hint), "count times hold is at most %d ms",
             LEAK_HOLD_ALL_MAX_MS);
    reply_error(request, 400, "bad_parameter", hint,
                "count and hold are out of range: together %" PRIu64
                " ms, a request may hold for %d s in all",
                all_ms, LEAK_HOLD_ALL_MAX_MS / 1000);
    return false;
}

/* Reads the parameters into the plan, whose steps are known, and executes it. The
 * combined request takes only the first two. */
static void plan_and_execute(struct request *request, struct plan *plan,
                             size_t parameter_count)
{
    struct parameter parameters[PARAMETERS] = {
        [ID] = {.name = "id", .type = PARAMETER_TEXT},
        [COUNT] = {.name = "count",
                   .type = PARAMETER_NUMBER,
                   .minimum = 1,
                   .maximum = LEAK_COUNT_MAX},
        [BYTES] = {.name = "bytes",
                   .type = PARAMETER_SIZE,
                   .minimum = 1,
                   .maximum = 1024 * MIB},
        [HOLD] = {.name = "hold",
                  .type = PARAMETER_NUMBER,
                  .maximum = LEAK_HOLD_MAX_MS},
    };
    if (!request_parameters(request, parameters, parameter_count) ||
        !size_steps(request, plan, &parameters[BYTES])) {
        return;
    }
    plan->id = parameters[ID].present ? parameters[ID].text : LEAK_ID_DEFAULT;
    plan->count = parameters[COUNT].present ? (unsigned)parameters[COUNT].number : 1;
    plan->hold_ms = (unsigned)parameters[HOLD].number;
    if (check_hold(request, plan)) {
        execute(request, plan);
    }
}

void lab_leak(struct request *request)
{
    struct step steps[sizeof(combined) / sizeof(combined[0])];
    struct plan plan = {.name = "combined", .steps = steps};
    for (size_t i = 0; i < sizeof(combined) / sizeof(combined[0]); i++) {
        steps[plan.step_count++].scenario = scenario_find(combined[i]);
    }
    plan_and_execute(request, &plan, BYTES);
}

void lab_scenario(struct request *request)
{
    const char *name = request->path + strlen("/leak/");
    const struct scenario *scenario = scenario_find(name);
    if (scenario == NULL && !scenario_family_exists(name)) {
        char hint[160];
        snprintf(hint, sizeof(hint), "GET /scenarios lists them; did you mean '%s'?",
                 scenario_nearest(name));
        reply_error(request, 404, "unknown_scenario", hint,
                    "no scenario named '%.200s'", name);
        return;
    }
    struct step *steps = calloc(scenario_count, sizeof(*steps));
    if (steps == NULL) {
        reply_json(request, 503, NULL);
        return;
    }
    struct plan plan = {.name = name, .is_scenario = scenario != NULL, .steps = steps};
    for (size_t i = 0; i < scenario_count; i++) {
        if (scenarios[i] == scenario ||
            (scenario == NULL && strcmp(scenarios[i]->family, name) == 0)) {
            steps[plan.step_count++].scenario = scenarios[i];
        }
    }
    plan_and_execute(request, &plan, PARAMETERS);
    free(steps);
}
