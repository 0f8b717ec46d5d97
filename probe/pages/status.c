#include "probe/pages/status.h"

#include <math.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/figures/figures.h"

/* Adds a figure, or null if this build does not count it. */
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

/* Adds a number rounded to three decimal places. */
static void add_rounded(cJSON *json, const char *name, double value)
{
    cJSON_AddNumberToObject(json, name, round(value * 1000) / 1000);
}

int probe_status_add(cJSON *json, const struct site *site)
{
    struct figures figures;
    int error = probe_figures_read(&figures);
    if (error != 0) {
        return error;
    }
    const struct process_figures *process = &figures.process;
    int64_t age_ns = clock_now_ns() - figures.taken_ns;
    cJSON_AddStringToObject(json, "server", site->name);
    cJSON_AddStringToObject(json, "version", site->version);
    cJSON_AddNumberToObject(json, "pid", getpid());
    add_rounded(json, "uptime_seconds",
                (double)(clock_now_ms() - site->started_ms) / 1000);
    cJSON_AddStringToObject(json, "profile", probe_heap_profiled() ? "exact" : "off");
    add_rounded(json, "age_ms", (double)age_ns / CLOCK_NS_PER_MS);
    add_memory(json, &figures);
    cJSON_AddNumberToObject(json, "threads", process->threads);
    cJSON_AddNumberToObject(json, "fds", process->fds);
    cJSON_AddNumberToObject(json, "sockets", process->sockets);
    cJSON_AddNumberToObject(json, "timers", process->timers);
    return 0;
}
