/*
 * What the process says of itself, for people and programs that watch it.
 */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "probe/figures/process_figures.h"
#include "probe/heap/heap.h"
#include "server/reply.h"
#include "server/server_private.h"
#include "variant.h"

#define REUSE_MS 10 /* figures are read anew when they are older than this */

struct figures {
    struct timespec taken; /* CLOCK_MONOTONIC; zero: never */
    struct heap_figures heap;
    struct process_figures process;
};

static struct figures latest;
static pthread_mutex_t latest_lock = PTHREAD_MUTEX_INITIALIZER;

/* Figures that are at most REUSE_MS old. Returns 0 or -errno. */
static int read_figures(struct figures *ret_figures)
{
    int error = 0;
    pthread_mutex_lock(&latest_lock);
    if (latest.taken.tv_sec == 0 ||
        server_milliseconds_since(&latest.taken) > REUSE_MS) {
        error = probe_process_read_figures(&latest.process);
        if (error == 0) {
            probe_heap_read_figures(&latest.heap);
            clock_gettime(CLOCK_MONOTONIC, &latest.taken);
        }
    }
    *ret_figures = latest;
    pthread_mutex_unlock(&latest_lock);
    return error;
}

/* A figure, or null where this build can't know it. */
static void add_counted(cJSON *json, const char *name, bool counted, uint64_t value)
{
    if (counted) {
        cJSON_AddNumberToObject(json, name, (double)value);
    } else {
        cJSON_AddNullToObject(json, name);
    }
}

static void add_memory(cJSON *json, const struct figures *figures)
{
    const struct heap_figures *heap = &figures->heap;
    cJSON *memory = cJSON_AddObjectToObject(json, "memory");
    cJSON_AddNumberToObject(memory, "alloc_bytes", (double)heap->in_use_bytes);
    add_counted(memory, "total_alloc_bytes", heap->counted, heap->total_bytes);
    add_counted(memory, "mallocs", heap->counted, heap->allocations);
    add_counted(memory, "frees", heap->counted, heap->deallocations);
    add_counted(memory, "live_objects", heap->counted, heap->live_objects);
    cJSON_AddNumberToObject(memory, "heap_sys_bytes", (double)heap->system_bytes);
    cJSON_AddNumberToObject(memory, "heap_free_bytes", (double)heap->free_bytes);
    cJSON_AddNumberToObject(memory, "rss_bytes", (double)figures->process.rss_bytes);
    cJSON_AddNumberToObject(memory, "peak_rss_bytes",
                            (double)figures->process.peak_rss_bytes);
}

static void add_scenarios(cJSON *json, const struct server *server)
{
    cJSON *list = cJSON_AddObjectToObject(json, "scenarios");
    for (size_t i = 0; i < scenario_count; i++) {
        const struct scenario *scenario = scenarios[i];
        cJSON *item = cJSON_AddObjectToObject(list, scenario->name);
        cJSON_AddNumberToObject(item, "calls", (double)atomic_load(&server->calls[i]));
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

void status_report(struct request *request)
{
    const struct server *server = request->server;
    struct figures figures;
    if (!request_parameters(request, NULL, 0)) {
        return;
    }
    int error = read_figures(&figures);
    if (error != 0) {
        reply_uncounted(request, error);
        return;
    }
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "server", variant.name);
    cJSON_AddStringToObject(json, "version", LAB_VERSION);
    cJSON_AddNumberToObject(json, "pid", getpid());
    cJSON_AddNumberToObject(json, "uptime_seconds",
                            round(server_milliseconds_since(&server->started)) / 1000);
    cJSON_AddStringToObject(json, "profile", probe_heap_profiled() ? "exact" : "off");
    cJSON_AddNumberToObject(
        json, "age_ms", round(server_milliseconds_since(&figures.taken) * 1000) / 1000);
    add_memory(json, &figures);
    cJSON_AddNumberToObject(json, "threads", figures.process.threads);
    cJSON_AddNumberToObject(json, "fds", figures.process.fds);
    cJSON_AddNumberToObject(json, "sockets", figures.process.sockets);
    cJSON_AddNumberToObject(json, "timers", figures.process.timers);
    cJSON_AddNumberToObject(json, "requests_total",
                            (double)atomic_load(&server->requests_total));
    add_scenarios(json, server);
    add_limits(json, server->settings->options);
    reply_json(request, 200, json);
}

void status_health(struct request *request)
{
    if (request_parameters(request, NULL, 0)) {
        reply_data(request, 200, "text/plain; charset=utf-8", "", "ok\n", 3);
    }
}
