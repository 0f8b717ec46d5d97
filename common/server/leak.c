/*
 * /leak: the scenarios over HTTP. First a request becomes a plan, then the guard rails
 * check the whole plan, then it runs. So no request is refused when it is half done.
 */
#include "server/leak.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/size.h"
#include "probe/http/form.h"
#include "server/guard.h"
#include "server/hints.h"
#include "server/lab.h"
#include "server/lab_json.h"
#include "server/leak_plan.h"
#include "variant.h"

/* The scenarios of the combined request, /leak. */
static const char *const combined[] = {"thread-loop", "http-body", "slice-prefix"};

void leak_add_amounts(cJSON *json, const struct scenario_amount *amount, size_t bytes,
                      unsigned count)
{
    cJSON_AddNumberToObject(json, "heap_bytes",
                            (double)count * (double)scenario_heap_bytes(amount, bytes));
    cJSON_AddNumberToObject(json, "threads", (double)count * amount->threads);
    cJSON_AddNumberToObject(json, "fds", (double)count * amount->fds);
    cJSON_AddNumberToObject(json, "timers", (double)count * amount->timers);
}

/* Replies that a step failed with `error` after `done` complete rounds. */
static void refuse_failed(struct reply *reply, const struct step *step, int error,
                          unsigned done)
{
    static const struct {
        int error;
        int status;
        const char *code;
        const char *hint;
    } reasons[] = {
        {ENOMEM, 503, "heap_limit", HINT_RESTART_OR_RAISE("--max-heap")},
        {ENOSPC, 503, "heap_limit", HINT_RESTART "; it keeps no more"},
        {EAGAIN, 503, "thread_limit",
         HINT_RESTART "; the system starts no more threads or timers for it"},
        {EMFILE, 503, "fd_limit", HINT_RESTART_OR_RAISE("--max-fds")},
        {ECANCELED, 503, "stopping", "the server is being stopped"},
        {ETIME, 503, "time_limit", "ask for fewer calls at a time"},
        {ECONNREFUSED, 502, "upstream_failed", "see what --upstream points to"},
        {EPROTO, 502, "upstream_failed", "see what --upstream points to"},
        {ETIMEDOUT, 502, "upstream_failed", "see what --upstream points to"},
    };
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].error == -error) {
            probe_reply_error(reply, reasons[i].status, reasons[i].code,
                              reasons[i].hint, "%s failed after %u complete calls: %s",
                              step->scenario->name, done, strerror(-error));
            return;
        }
    }
    probe_reply_error(reply, 500, "scenario_failed",
                      "see the server's directory and limits",
                      "%s failed after %u complete calls: %s", step->scenario->name,
                      done, strerror(-error));
}

/* Adds what the calls leave on the leaky server. In an exercise, that would tell what
 * to look for. */
static void add_declared(cJSON *json, const struct scenario_amount *amount,
                         size_t bytes, unsigned count)
{
    if (!variant.is_exercise) {
        leak_add_amounts(cJSON_AddObjectToObject(json, "declared"), amount, bytes,
                         count);
    }
}

static void add_answer(cJSON *json, const struct plan *plan, const struct step *step)
{
    char text[2 * sizeof(step->answer.text) + 32];
    if (leak_plan_answer(plan, step, text, sizeof(text))) {
        cJSON_AddStringToObject(json, "answer", text);
    } else {
        cJSON_AddNullToObject(json, "answer");
    }
}

static void reply_done(struct reply *reply, const struct plan *plan, double elapsed_ms)
{
    double bytes = 0; /* for several scenarios: the sum of their main sizes */
    for (size_t i = 0; i < plan->step_count; i++) {
        bytes += (double)plan->steps[i].bytes;
    }
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "server", variant.name);
    cJSON_AddStringToObject(json, "scenario", plan->name);
    cJSON_AddStringToObject(json, "id", plan->id);
    cJSON_AddNumberToObject(json, "count", plan->count);
    cJSON_AddNumberToObject(json, "bytes", bytes);
    struct scenario_amount declared = leak_plan_declared(plan);
    add_declared(json, &declared, 0, plan->count);
    if (plan->is_scenario) {
        add_answer(json, plan, &plan->steps[0]);
    } else {
        cJSON *steps = cJSON_AddArrayToObject(json, "scenarios");
        for (size_t i = 0; i < plan->step_count; i++) {
            const struct step *step = &plan->steps[i];
            cJSON *item = lab_json_add_object(steps);
            cJSON_AddStringToObject(item, "scenario", step->scenario->name);
            cJSON_AddNumberToObject(item, "bytes", (double)step->bytes);
            add_declared(item, &step->scenario->leaves, step->bytes, plan->count);
            add_answer(item, plan, step);
        }
    }
    cJSON_AddNumberToObject(json, "elapsed_ms", round(elapsed_ms * 1000) / 1000);
    lab_json_reply(reply, 200, json);
}

/* Replies that the request would pass a ceiling. An exercise does not say which one,
 * nor how much is needed, because that is what a call may leave behind. */
static void refuse_need(struct reply *reply, const struct guard_refusal *refusal)
{
    if (variant.is_exercise) {
        probe_reply_error(reply, 503, "limit",
                          "ask for less at a time; /status has the limits, and what is "
                          "in use",
                          "this request may pass a limit of the server");
        return;
    }
    /* A restart does not help if even an empty server would refuse. */
    bool alone = refusal->need > refusal->limit;
    char hint[128];
    snprintf(hint, sizeof(hint),
             alone ? "ask for less, or start the server with a larger %s"
                   : HINT_RESTART_OR_RAISE("%s"),
             refusal->option);
    probe_reply_error(
        reply, 503, refusal->code, hint,
        "%zu %s are in use, this request may need %zu more, the limit is %zu",
        refusal->in_use, refusal->what, refusal->need, refusal->limit);
}

/* Runs the plan within the guard rails, and fills in the reply. */
static void execute(struct lab *lab, struct plan *plan, struct reply *reply)
{
    struct guard_need need = leak_plan_need(plan);
    struct guard_refusal refusal;
    int error = guard_enter(lab->settings->options, &need, &refusal);
    if (error == -EAGAIN) {
        refuse_need(reply, &refusal);
        return;
    }
    if (error != 0) {
        probe_reply_uncounted(reply, error);
        return;
    }
    int64_t start_ns = clock_now_ns();
    const struct step *failed = NULL;
    unsigned done = 0;
    error = leak_plan_run(lab, plan, start_ns / CLOCK_NS_PER_MS, &failed, &done);
    guard_leave(&need);
    if (error != 0) {
        refuse_failed(reply, failed, error, done);
        return;
    }
    reply_done(reply, plan, (double)(clock_now_ns() - start_ns) / CLOCK_NS_PER_MS);
}

enum { ID, COUNT, BYTES, HOLD, PARAMETERS };

/* Sets the main size of every step: the client's, or the scenario's default. */
static bool size_steps(struct reply *reply, struct plan *plan,
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
            probe_reply_error(reply, 400, "bad_parameter", hint,
                              "bytes is out of range for %s", scenario->name);
            return false;
        }
    }
    return true;
}

/* Refuses a plan whose calls together hold too long, because they keep a worker even
 * when the client has gone. Only temporary scenarios hold. A plan without one is
 * checked as if it had one, so that all scenarios refuse the same parameters. */
static bool check_hold(struct reply *reply, const struct plan *plan)
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
    probe_reply_error(reply, 400, "bad_parameter", hint,
                      "count and hold are out of range: together %" PRIu64
                      " ms, a request may hold for %d s in all",
                      all_ms, LEAK_HOLD_ALL_MAX_MS / 1000);
    return false;
}

/* Reads the parameters into a plan that already has its steps, and executes it. The
 * combined request has only the first two parameters. */
static void plan_and_execute(const struct request *request, struct plan *plan,
                             size_t parameter_count, struct reply *reply)
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
                   .maximum = GIB},
        [HOLD] = {.name = "hold",
                  .type = PARAMETER_NUMBER,
                  .maximum = LEAK_HOLD_MAX_MS},
    };
    if (!probe_form_read(request, parameters, parameter_count, reply) ||
        !size_steps(reply, plan, &parameters[BYTES])) {
        return;
    }
    plan->id = parameters[ID].present ? parameters[ID].text : LEAK_ID_DEFAULT;
    plan->count = parameters[COUNT].present ? (unsigned)parameters[COUNT].number : 1;
    plan->hold_ms = (unsigned)parameters[HOLD].number;
    if (check_hold(reply, plan)) {
        execute(lab_of(request), plan, reply);
    }
}

void leak_page_combined(const struct request *request, struct reply *reply)
{
    struct step steps[sizeof(combined) / sizeof(combined[0])];
    struct plan plan = {.name = "combined", .steps = steps};
    for (size_t i = 0; i < sizeof(combined) / sizeof(combined[0]); i++) {
        steps[i].scenario = scenario_find(combined[i]);
        if (steps[i].scenario == NULL) {
            probe_reply_error(reply, 404, "unknown_scenario",
                              "GET /scenarios lists what can be called",
                              "this server has no scenario '%s'", combined[i]);
            return;
        }
        plan.step_count++;
    }
    plan_and_execute(request, &plan, BYTES, reply);
}

void leak_page_scenario(const struct request *request, struct reply *reply)
{
    const char *name = request->path + strlen("/leak/");
    const struct scenario *scenario = scenario_find(name);
    if (scenario == NULL && !scenario_family_exists(name)) {
        char hint[160];
        snprintf(hint, sizeof(hint), "GET /scenarios lists them; did you mean '%s'?",
                 scenario_nearest(name));
        probe_reply_error(reply, 404, "unknown_scenario", hint,
                          "no scenario named '%.200s'", name);
        return;
    }
    struct step *steps = calloc(scenario_count, sizeof(*steps));
    if (steps == NULL) {
        probe_reply_no_memory(reply);
        return;
    }
    struct plan plan = {.name = name, .is_scenario = scenario != NULL, .steps = steps};
    for (size_t i = 0; i < scenario_count; i++) {
        if (scenarios[i] == scenario ||
            (scenario == NULL && strcmp(scenarios[i]->family, name) == 0)) {
            steps[plan.step_count++].scenario = scenarios[i];
        }
    }
    plan_and_execute(request, &plan, PARAMETERS, reply);
    free(steps);
}
