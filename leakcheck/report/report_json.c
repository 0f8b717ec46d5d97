/*
 * The JSON report: every sample, what it means, and the verdict.
 */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <sys/wait.h>

#include "leakcheck/report/json_blame.h"
#include "leakcheck/report/report.h"

static const char *const resource_keys[RESOURCE_COUNT] = {
    [RESOURCE_HEAP] = "heap_bytes",   [RESOURCE_THREADS] = "threads",
    [RESOURCE_FDS] = "fds",           [RESOURCE_TIMERS] = "timers",
    [RESOURCE_RSS] = "rss_bytes",     [RESOURCE_MAPPINGS] = "mappings",
    [RESOURCE_CHILDREN] = "children", [RESOURCE_TOTAL] = "total_alloc_bytes"};

static void resources_add(cJSON *object, const char *name,
                          const struct resources *resources)
{
    cJSON *item = cJSON_AddObjectToObject(object, name);
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        if (resources->amount[i] != UNKNOWN) {
            cJSON_AddNumberToObject(item, resource_keys[i],
                                    (double)resources->amount[i]);
        }
    }
}

static void samples_add(cJSON *object, const struct sample *samples, size_t count)
{
    cJSON *list = cJSON_AddArrayToObject(object, "samples");
    for (size_t i = 0; i < count; i++) {
        cJSON *item = cJSON_CreateObject();
        cJSON_AddItemToArray(list, item);
        cJSON_AddNumberToObject(item, "calls", (double)samples[i].calls);
        cJSON_AddNumberToObject(item, "ms",
                                (double)(samples[i].at_ms - samples[0].at_ms));
        resources_add(item, "now", &samples[i].now);
        if (samples[i].peak.amount[RESOURCE_FDS] != UNKNOWN) {
            resources_add(item, "peak", &samples[i].peak);
        }
    }
}

/* JSON has no infinity: null. */
static void ratio_add(cJSON *object, const char *name, double ratio)
{
    if (isfinite(ratio)) {
        cJSON_AddNumberToObject(object, name, ratio);
    } else {
        cJSON_AddNullToObject(object, name);
    }
}

/* Who made what grew, or what was held: of each resource that has such a profile. */
static void made_add(cJSON *object, const struct trial *trial)
{
    cJSON *item = cJSON_AddObjectToObject(object, "made");
    for (size_t i = 0; i < made_resource_count; i++) {
        enum resource resource = made_resources[i];
        json_blame_add(item, json_resource_words[resource], &trial->made[resource],
                       NULL);
    }
}

/* The blame for each resource: of the heap who allocated, of threads where they wait,
 * of others who made them. */
static void blamed_add(cJSON *object, const struct trial *trial)
{
    cJSON *item = cJSON_AddObjectToObject(object, "blamed");
    json_blame_add(item, json_resource_words[RESOURCE_HEAP], &trial->heap, NULL);
    json_blame_add(item, json_resource_words[RESOURCE_THREADS], &trial->wait, NULL);
    for (size_t i = 0; i < made_resource_count; i++) {
        enum resource resource = made_resources[i];
        if (resource != RESOURCE_THREADS) {
            json_blame_add(item, json_resource_words[resource], &trial->made[resource],
                           NULL);
        }
    }
}

static void trial_add(cJSON *object, const char *name, const struct side *side,
                      size_t index)
{
    const struct trial *trial = &side->trials[index];
    const struct finding *finding = &side->findings[index];
    cJSON *item = cJSON_AddObjectToObject(object, name);
    cJSON_AddBoolToObject(item, "good", finding->good);
    cJSON_AddBoolToObject(item, "measured", !finding->unmeasured);
    cJSON_AddStringToObject(item, "reason", finding->reason);
    cJSON_AddStringToObject(item, "picture", picture_word(finding->picture));
    cJSON_AddStringToObject(item, "means", picture_sentence(finding->picture));
    cJSON *slopes = cJSON_AddObjectToObject(item, "growth_per_call");
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        if (trial->measured[i]) {
            cJSON_AddNumberToObject(slopes, resource_keys[i], trial->fits[i].slope);
        } else {
            cJSON_AddNullToObject(slopes, resource_keys[i]);
        }
    }
    cJSON_AddNumberToObject(item, "blamed_heap_bytes_per_call", trial->heap_per_call);
    cJSON_AddNumberToObject(item, "library_heap_bytes_per_call",
                            trial->library_per_call);
    if (trial->info->growth_bytes_per_second > 0 && side->role == ROLE_LEAKY) {
        cJSON_AddNumberToObject(item, "bytes_per_second_and_thread", trial->rate);
    }
    json_blame_add(item, "heap", &trial->heap, &trial->held);
    json_blame_add(item, "waits", &trial->wait, NULL);
    blamed_add(item, trial);
    made_add(item, trial);
    json_proof_add(item, &trial->proof);
    samples_add(item, trial->samples, trial->sample_count);
}

static void scenario_add(cJSON *list, const struct judgement *judgement, size_t index)
{
    const struct side *leaky = &judgement->sides[ROLE_LEAKY];
    const struct side *fixed = &judgement->sides[ROLE_FIXED];
    const struct trial *trial = &leaky->trials[index];
    enum resource resource = verdict_resource(trial->info);
    struct answers_finding answers = judge_answers(judgement, index);
    bool right = leaky->findings[index].good && answers.result != ANSWERS_WRONG;
    const struct finding *fix = &fixed->findings[index];
    const char *verdict = right && fix->good         ? "proved"
                          : right && fix->unmeasured ? "not measured"
                                                     : "failed";
    cJSON *item = cJSON_CreateObject();
    cJSON_AddItemToArray(list, item);
    cJSON_AddStringToObject(item, "name", trial->info->name);
    cJSON_AddStringToObject(item, "family", trial->info->family);
    cJSON_AddStringToObject(item, "verdict", verdict);
    cJSON_AddStringToObject(item, "answers", answers_word(answers.result));
    cJSON_AddNumberToObject(item, "answers_compared", answers.compared);
    cJSON_AddStringToObject(item, "answers_reason", answers.reason);
    cJSON_AddStringToObject(item, "resource", resource_name(resource));
    cJSON_AddNumberToObject(item, "calls_per_round", trial->calls);
    if (trial->bytes != UNKNOWN) {
        cJSON_AddNumberToObject(item, "bytes", (double)trial->bytes);
    }
    cJSON_AddNumberToObject(item, "measured_per_call",
                            verdict_measured(trial, resource));
    cJSON_AddNumberToObject(item, "declared_per_call",
                            verdict_declared(trial, resource));
    ratio_add(item, "measured_over_declared", leaky->findings[index].ratio);
    resources_add(item, "declared", &trial->declared);
    if (trial->declared.amount[RESOURCE_HEAP] > 0) {
        ratio_add(item, "heap_measured_over_declared",
                  trial->heap_per_call / (double)trial->declared.amount[RESOURCE_HEAP]);
    }
    cJSON_AddStringToObject(item, "suspect", trial->info->suspect);
    trial_add(item, "leaky", leaky, index);
    trial_add(item, "fixed", fixed, index);
}

int report_json_judgement(const char *path, const struct judgement *judgement,
                          struct failure *failure)
{
    struct judge_summary summary = judge_summarize(judgement);
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "leaky_url", judgement->order.urls[0]);
    cJSON_AddStringToObject(root, "fixed_url", judgement->order.urls[1]);
    cJSON_AddNumberToObject(root, "rounds", judgement->order.rounds);
    cJSON_AddNumberToObject(root, "elapsed_ms", (double)judgement->elapsed_ms);
    cJSON_AddNumberToObject(root, "judged", (double)summary.judged);
    cJSON_AddNumberToObject(root, "leaks_shown", (double)summary.shown);
    cJSON_AddNumberToObject(root, "false_alarms", (double)summary.alarms);
    cJSON_AddNumberToObject(root, "fixes_not_measured", (double)summary.unmeasured);
    cJSON *answers = cJSON_AddObjectToObject(root, "answers");
    for (int i = ANSWERS_NOT_MEASURED; i <= ANSWERS_WRONG; i++) {
        cJSON_AddNumberToObject(answers, answers_word((enum answers_result)i),
                                (double)summary.answers[i]);
    }
    cJSON *list = cJSON_AddArrayToObject(root, "scenarios");
    const struct side *leaky = &judgement->sides[ROLE_LEAKY];
    for (size_t i = 0; i < leaky->count; i++) {
        if (leaky->chosen[i]) {
            scenario_add(list, judgement, i);
        }
    }
    return report_write_json(path, root, failure);
}

/* How many threads more wait in a place. */
static void waiting_add(cJSON *object, const struct blame *wait)
{
    if (wait->growth <= 0) {
        cJSON_AddNullToObject(object, "waiting");
        return;
    }
    cJSON *item = cJSON_AddObjectToObject(object, "waiting");
    cJSON_AddStringToObject(item, "function", wait->function);
    cJSON_AddStringToObject(item, "file", wait->file);
    cJSON_AddNumberToObject(item, "line", wait->line);
    cJSON_AddNumberToObject(item, "count", (double)wait->growth);
}

/* One scenario of a half that was judged alone. What holds has nothing over its
 * limit, and nobody to blame. */
static void alone_add(cJSON *list, const struct side *side, size_t index)
{
    const struct trial *trial = &side->trials[index];
    const struct finding *finding = &side->findings[index];
    static const struct blame nobody;
    bool over = !finding->good && !finding->unmeasured;
    cJSON *item = cJSON_CreateObject();
    cJSON_AddItemToArray(list, item);
    cJSON_AddStringToObject(item, "scenario", side->list[index].name);
    cJSON_AddBoolToObject(item, "holds", finding->good);
    cJSON_AddBoolToObject(item, "measured", !finding->unmeasured);
    cJSON_AddStringToObject(item, "reason", finding->reason);
    if (!finding->good) {
        cJSON_AddStringToObject(item, "resource", json_resource_words[finding->over]);
    } else {
        cJSON_AddNullToObject(item, "resource");
    }
    if (finding->unmeasured) {
        cJSON_AddNullToObject(item, "per_call");
    } else {
        cJSON_AddNumberToObject(item, "per_call", over ? finding->over_per_call : 0);
    }
    if (trial->bytes != UNKNOWN) {
        cJSON_AddNumberToObject(item, "bytes", (double)trial->bytes);
    } else {
        cJSON_AddNullToObject(item, "bytes");
    }
    json_blame_add(item, "blamed", over ? &trial->heap : &nobody, &trial->held);
    waiting_add(item, over ? &trial->wait : &nobody);
    made_add(item, trial);
    json_proof_add(item, &trial->proof);
    samples_add(item, trial->samples, trial->sample_count);
}

int report_json_alone(const char *path, const struct alone *alone,
                      struct failure *failure)
{
    struct alone_summary summary = alone_summarize(alone);
    const char *verdict = summary.good  ? "holds"
                          : summary.bad ? "leaks"
                                        : "not measured";
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "url", alone->order.urls[ROLE_FIXED]);
    cJSON_AddStringToObject(root, "verdict", verdict);
    cJSON_AddNumberToObject(root, "rounds", alone->order.rounds);
    cJSON_AddNumberToObject(root, "calls", alone->order.calls);
    cJSON_AddNumberToObject(root, "elapsed_ms", (double)alone->elapsed_ms);
    cJSON *list = cJSON_AddArrayToObject(root, "scenarios");
    for (size_t i = 0; i < alone->side.count; i++) {
        if (alone->side.chosen[i]) {
            alone_add(list, &alone->side, i);
        }
    }
    return report_write_json(path, root, failure);
}

/* What is not measured has no growth, and is neither over nor within its limit. */
static void resource_add(cJSON *list, const char *name, const struct gate *gate,
                         enum resource resource)
{
    const struct gate_resource *judged = &gate->resources[resource];
    cJSON *item = cJSON_AddObjectToObject(list, name);
    cJSON_AddBoolToObject(item, "measured", judged->measured);
    if (judged->measured) {
        cJSON_AddNumberToObject(item, "growth_per_call", judged->fit.slope);
        cJSON_AddNumberToObject(item, "limit", judged->limit.most);
        cJSON_AddBoolToObject(item, "over", judged->over);
    } else {
        cJSON_AddNullToObject(item, "growth_per_call");
        cJSON_AddNumberToObject(item, "limit", judged->limit.most);
        cJSON_AddNullToObject(item, "over");
        cJSON_AddStringToObject(item, "reason", gate_missing_reason(gate, resource));
    }
    json_blame_add(item, "blamed", &judged->blame,
                   resource == RESOURCE_HEAP ? &gate->held : NULL);
    bool grew = judged->measured && judged->over;
    if (grew && judged->blame.growth <= 0 && own_page_of(resource) != OWN_PAGES &&
        resource != RESOURCE_THREADS) {
        json_reason_add(item, "blamed",
                        made_reason(&gate->server, resource, &judged->blame));
    }
    if (resource == RESOURCE_THREADS) {
        json_blame_add(item, "made", &judged->made, NULL);
        if (grew && judged->made.growth <= 0) {
            json_reason_add(item, "made",
                            made_reason(&gate->server, resource, &judged->made));
        }
        json_proof_add(item, &gate->proof);
    }
}

/* What was called, and how often in all rounds. */
static void calls_add(cJSON *root, const struct gate *gate,
                      const struct call_settings *call)
{
    unsigned rounds = (unsigned)gate->sample_count - 1;
    if (call->drive_count == 1) {
        cJSON_AddStringToObject(root, "drive", call->drives[0]);
    }
    cJSON_AddStringToObject(root, "method", call->method);
    cJSON *list = cJSON_AddArrayToObject(root, "drives");
    for (size_t i = 0; i < call->drive_count; i++) {
        const struct call_target *target = &gate->caller.targets[i];
        char url[2048];
        cJSON *item = cJSON_CreateObject();
        cJSON_AddItemToArray(list, item);
        snprintf(url, sizeof(url), "%s%s", target->http->base, target->path);
        cJSON_AddStringToObject(item, "url", url);
        cJSON_AddNumberToObject(item, "calls",
                                rounds * caller_share(&gate->caller, gate->calls, i));
    }
    if (call->command != NULL) {
        cJSON_AddStringToObject(root, "drive_command", call->command);
    }
}

/* The program that leakcheck started, and how it ended. */
static void program_add(cJSON *root, const struct program *program)
{
    struct tail_lines lines;
    cJSON *item = cJSON_AddObjectToObject(root, "run");
    cJSON_AddStringToObject(item, "command", program->command);
    cJSON_AddNumberToObject(item, "pid", program->pid);
    if (WIFSIGNALED(program->status)) {
        cJSON_AddNullToObject(item, "exit_status");
        cJSON_AddNumberToObject(item, "signal", WTERMSIG(program->status));
    } else {
        cJSON_AddNumberToObject(item, "exit_status", WEXITSTATUS(program->status));
        cJSON_AddNullToObject(item, "signal");
    }
    cJSON *list = cJSON_AddArrayToObject(item, "last_lines");
    tail_split(&program->tail, &lines);
    for (size_t i = 0; i < lines.count; i++) {
        cJSON_AddItemToArray(list, cJSON_CreateString(lines.at[i]));
    }
}

int report_json_gate(const char *path, const struct gate *gate,
                     const struct gate_settings *settings, struct failure *failure)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "url", gate->server.http.base);
    calls_add(root, gate, &settings->call);
    if (settings->run != NULL) {
        program_add(root, &gate->program);
    }
    cJSON_AddStringToObject(root, "verdict", gate_is_over(gate) ? "leaks" : "holds");
    cJSON_AddStringToObject(root, "picture", picture_word(gate->picture));
    cJSON_AddStringToObject(root, "means", picture_sentence(gate->picture));
    cJSON_AddNumberToObject(root, "rounds", (double)gate->sample_count - 1);
    cJSON_AddNumberToObject(root, "calls", gate->calls);
    cJSON_AddNumberToObject(root, "elapsed_ms", (double)gate->elapsed_ms);
    cJSON *resources = cJSON_AddObjectToObject(root, "resources");
    for (size_t i = 0; i < gate_judged_count; i++) {
        resource_add(resources, json_resource_words[gate_judged[i]], gate,
                     gate_judged[i]);
    }
    if (gate->counts_allocations) {
        cJSON_AddNumberToObject(root, "allocated_bytes_per_call", gate->total_per_call);
    } else {
        cJSON_AddNullToObject(root, "allocated_bytes_per_call");
    }
    cJSON_AddStringToObject(root, "names_reason", gate->server.names_reason);
    samples_add(root, gate->samples, gate->sample_count);
    return report_write_json(path, root, failure);
}
