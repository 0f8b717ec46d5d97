/*
 * The probe's metrics come first, then the lab's own: requests, calls, what scenarios
 * hold, and limits.
 */
#include "server/metrics.h"

#include "probe/metrics/metric_text.h"
#include "probe/pages/metrics.h"
#include "scenario.h"
#include "server/lab.h"

static void add_requests(struct buffer *text, const struct lab *lab)
{
    probe_metric_counter(text, "leaklab_requests_total",
                         "Requests that both ports have received.",
                         atomic_load(&lab->requests_total));
}

static void add_scenarios(struct buffer *text, const struct lab *lab)
{
    static const struct metric calls = {"leaklab_scenario_calls_total", "counter",
                                        "Complete calls of a scenario."};
    static const struct metric held = {"leaklab_scenario_held", "gauge",
                                       "Things that calls of a scenario have left and "
                                       "that are still alive."};
    probe_metric_begin(text, &calls);
    for (size_t i = 0; i < scenario_count; i++) {
        struct metric_label label = {"scenario", scenarios[i]->name};
        probe_metric_sample(text, &calls, &label, 1, atomic_load(&lab->calls[i]));
    }
    probe_metric_begin(text, &held);
    for (size_t i = 0; i < scenario_count; i++) {
        struct metric_label label = {"scenario", scenarios[i]->name};
        probe_metric_sample(text, &held, &label, 1, scenario_held(scenarios[i]));
    }
}

static void add_limits(struct buffer *text, const struct options *options)
{
    probe_metric_gauge(text, "leaklab_heap_limit_bytes",
                       "Heap that scenarios may use (--max-heap), in bytes.",
                       (uint64_t)options->max_heap);
    probe_metric_gauge(text, "leaklab_threads_limit",
                       "Threads that scenarios may make (--max-threads).",
                       (uint64_t)options->max_threads);
    probe_metric_gauge(text, "leaklab_descriptors_limit",
                       "File descriptors that scenarios may open (--max-fds).",
                       (uint64_t)options->max_fds);
    probe_metric_gauge(text, "leaklab_timers_limit",
                       "POSIX timers that scenarios may make (--max-timers).",
                       (uint64_t)options->max_timers);
}

static void add_own(struct buffer *text, const struct request *request)
{
    const struct lab *lab = lab_of(request);
    add_requests(text, lab);
    add_scenarios(text, lab);
    add_limits(text, lab->settings->options);
}

void metrics_page(const struct request *request, struct reply *reply)
{
    probe_metrics_reply(request, reply, add_own);
}
