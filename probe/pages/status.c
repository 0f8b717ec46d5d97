#include "probe/pages/status.h"

#include <unistd.h>

#include "base/clock.h"
#include "probe/figures/figures.h"

/* Adds a figure, or null if this build or this kernel does not count it. */
static void add_counted(struct json_writer *json, const char *name, bool counted,
                        uint64_t value)
{
    if (counted) {
        probe_json_number(json, name, value);
    } else {
        probe_json_null(json, name);
    }
}

static void add_memory(struct json_writer *json, const struct figures *figures)
{
    const struct heap_figures *heap = &figures->heap;
    probe_json_open(json, "memory");
    add_counted(json, "alloc_bytes", heap->known, heap->in_use_bytes);
    add_counted(json, "total_alloc_bytes", heap->counted, heap->total_bytes);
    add_counted(json, "mallocs", heap->counted, heap->allocations);
    add_counted(json, "frees", heap->counted, heap->deallocations);
    add_counted(json, "live_objects", heap->counted, heap->live_objects);
    add_counted(json, "heap_sys_bytes", heap->system_known, heap->system_bytes);
    add_counted(json, "heap_free_bytes", heap->system_known, heap->free_bytes);
    probe_json_number(json, "rss_bytes", figures->process.rss_bytes);
    probe_json_number(json, "peak_rss_bytes", figures->process.peak_rss_bytes);
    probe_json_close(json);
}

int probe_status_add(struct json_writer *json, const struct site *site)
{
    struct figures figures;
    int error = probe_figures_read_all(&figures);
    if (error != 0) {
        return error;
    }
    const struct process_figures *process = &figures.process;
    int64_t age_ns = clock_now_ns() - figures.taken_ns;
    probe_json_text(json, "server", site->name);
    probe_json_text(json, "version", site->version);
    probe_json_number(json, "pid", (uint64_t)getpid());
    probe_json_thousandths(json, "uptime_seconds",
                           (uint64_t)(clock_now_ms() - site->started_ms));
    probe_json_text(json, "profile", probe_heap_profile_name());
    probe_json_thousandths(json, "age_ms", (uint64_t)age_ns * 1000 / CLOCK_NS_PER_MS);
    add_memory(json, &figures);
    probe_json_number(json, "threads", process->threads);
    probe_json_number(json, "fds", process->fds);
    probe_json_number(json, "sockets", process->sockets);
    add_counted(json, "timers", process->timers_counted, process->timers);
    const struct process_counts *counts = &figures.counts;
    add_counted(json, "mappings", counts->mappings_counted, counts->mappings);
    add_counted(json, "children", counts->children_counted, counts->children);
    return 0;
}
