/*
 * /status: the probe's figures, then the lab's own: limits, calls, and what scenarios
 * hold.
 */
#include "server/status.h"

#include "probe/http/form.h"
#include "probe/pages/status.h"
#include "scenario.h"
#include "server/lab.h"

static void add_scenarios(cJSON *json, const struct lab *lab)
{
    cJSON *list = cJSON_AddObjectToObject(json, "scenarios");
    for (size_t i = 0; i < scenario_count; i++) {
        const struct scenario *scenario = scenarios[i];
        cJSON *item = cJSON_AddObjectToObject(list, scenario->name);
        cJSON_AddNumberToObject(item, "calls", (double)atomic_load(&lab->calls[i]));
        cJSON_AddNumberToObject(item, "held",
                                scenario->held == NULL ? 0 : (double)scenario->held());
    }
}

static void add_limits(cJSON *json, const struct options *options)
{
    cJSON *limits = cJSON_AddObjectToObject(json, "limits");
    cJSON_AddNumberToObject(limits, "heap_bytes", (double)options->max_heap);
    cJSON_AddNumberToObject(limits, "threads", options->max_threads);
    cJSON_AddNumberToObject(limits, "fds", options->max_fds);
    cJSON_AddNumberToObject(limits, "timers", options->max_timers);
}

void status_page(const struct request *request, struct reply *reply)
{
    if (!probe_form_read_none(request, reply)) {
        return;
    }
    const struct lab *lab = lab_of(request);
    cJSON *json = cJSON_CreateObject();
    int error = probe_status_add(json, request->site);
    if (error != 0) {
        cJSON_Delete(json);
        probe_reply_uncounted(reply, error);
        return;
    }
    cJSON_AddNumberToObject(json, "requests_total",
                            (double)atomic_load(&lab->requests_total));
    add_scenarios(json, lab);
    add_limits(json, lab->settings->options);
    probe_reply_json(reply, 200, json);
}
