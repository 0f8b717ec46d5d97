/*
 * /status: the probe's figures, then the lab's own: limits, calls, and what scenarios
 * hold.
 */
#include "server/status.h"

#include "probe/pages/status.h"
#include "scenario.h"
#include "server/lab.h"

static void add_scenarios(struct json_writer *json, const struct lab *lab)
{
    probe_json_open(json, "scenarios");
    for (size_t i = 0; i < scenario_count; i++) {
        const struct scenario *scenario = scenarios[i];
        probe_json_open(json, scenario->name);
        probe_json_number(json, "calls", atomic_load(&lab->calls[i]));
        probe_json_number(json, "held", scenario_held(scenario));
        probe_json_close(json);
    }
    probe_json_close(json);
}

static void add_limits(struct json_writer *json, const struct options *options)
{
    probe_json_open(json, "limits");
    probe_json_number(json, "heap_bytes", (uint64_t)options->max_heap);
    probe_json_number(json, "threads", (uint64_t)options->max_threads);
    probe_json_number(json, "fds", (uint64_t)options->max_fds);
    probe_json_number(json, "timers", (uint64_t)options->max_timers);
    probe_json_close(json);
}

static void add_own(struct json_writer *json, const struct request *request)
{
    const struct lab *lab = lab_of(request);
    probe_json_number(json, "requests_total", atomic_load(&lab->requests_total));
    add_scenarios(json, lab);
    add_limits(json, lab->settings->options);
}

void status_page(const struct request *request, struct reply *reply)
{
    probe_status_reply(request, reply, add_own);
}
