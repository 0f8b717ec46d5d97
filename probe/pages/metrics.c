/*
 * process_*: the names that Prometheus' client libraries have for the same.
 * leakprobe_*: what they do not have.
 */
#include "probe/pages/metrics.h"

#include "probe/figures/figures.h"
#include "probe/metrics/metric_text.h"
#include "probe/recorder/recorder.h"

static void add_process(struct buffer *text, const struct figures *figures)
{
    static const struct metric cpu = {"process_cpu_seconds_total", "counter",
                                      "CPU time of all threads, user and system, in "
                                      "seconds."};
    static const struct metric start = {"process_start_time_seconds", "gauge",
                                        "When the process started, in seconds since "
                                        "1970."};
    const struct process_figures *process = &figures->process;
    probe_metric_time(text, &cpu, (uint64_t)process->cpu_ns);
    if (figures->started_ns != 0) {
        probe_metric_time(text, &start, (uint64_t)figures->started_ns);
    }
    probe_metric_gauge(text, "process_open_fds", "Open file descriptors.",
                       process->fds);
    probe_metric_gauge(
        text, "process_max_fds",
        "The most file descriptors that the kernel allows (RLIMIT_NOFILE).",
        process->fds_most);
    probe_metric_gauge(text, "process_virtual_memory_bytes",
                       "Address space in use, in bytes.", process->virtual_bytes);
    probe_metric_gauge(
        text, "process_virtual_memory_max_bytes",
        "The most address space that the kernel allows (RLIMIT_AS), in bytes.",
        process->virtual_bytes_most);
    probe_metric_gauge(text, "process_resident_memory_bytes",
                       "Memory that is in RAM (resident set), in bytes.",
                       process->rss_bytes);
    probe_metric_gauge(text, "process_threads", "Threads of the process.",
                       process->threads);
}

static void add_heap(struct buffer *text, const struct heap_figures *heap)
{
    if (heap->known) {
        probe_metric_gauge(text, "leakprobe_heap_in_use_bytes",
                           "Heap that is allocated and not freed, in bytes.",
                           heap->in_use_bytes);
    }
    if (heap->system_known) {
        probe_metric_gauge(
            text, "leakprobe_heap_system_bytes",
            "Memory that the allocator has taken from the system, in bytes.",
            heap->system_bytes);
        probe_metric_gauge(text, "leakprobe_heap_free_bytes",
                           "Part of leakprobe_heap_system_bytes that is free, in "
                           "bytes.",
                           heap->free_bytes);
    }
    if (heap->counted) {
        probe_metric_counter(text, "leakprobe_heap_allocated_bytes_total",
                             "Heap ever allocated, in bytes.", heap->total_bytes);
        probe_metric_counter(text, "leakprobe_heap_allocations_total",
                             "Objects ever allocated on the heap.", heap->allocations);
        probe_metric_counter(text, "leakprobe_heap_frees_total", "Objects ever freed.",
                             heap->deallocations);
        probe_metric_gauge(text, "leakprobe_heap_live_objects",
                           "Objects that are allocated and not freed.",
                           heap->live_objects);
    }
}

static void add_recorder(struct buffer *text)
{
    if (probe_recorder_mode() == RECORDER_OFF) {
        return;
    }
    struct recorder_figures figures;
    probe_recorder_read_figures(&figures);
    probe_metric_gauge(text, "leakprobe_recorder_bytes",
                       "Memory that the heap recorder itself has taken, in bytes.",
                       figures.own_bytes);
    probe_metric_counter(text, "leakprobe_recorder_lost_total",
                         "Blocks that the heap recorder could not note, or did not see "
                         "go.",
                         figures.lost);
}

static void add_counts(struct buffer *text, const struct process_counts *counts)
{
    if (counts->mappings_counted) {
        probe_metric_gauge(text, "leakprobe_mappings",
                           "Mappings of the address space: lines of /proc/PID/maps.",
                           counts->mappings);
    }
    if (counts->children_counted) {
        probe_metric_gauge(text, "leakprobe_children",
                           "Child processes: living ones, and ended ones that were "
                           "not waited for.",
                           counts->children);
    }
}

int probe_metrics_add(struct buffer *text, const struct site *site)
{
    static const struct metric info = {
        "leakprobe_info", "gauge",
        "Always 1; the labels say which program this is, and what records its heap "
        "(profile)."};
    struct figures figures;
    int error = probe_figures_read_all(&figures);
    if (error != 0) {
        return error;
    }
    struct metric_label labels[] = {
        {"name", site->name},
        {"version", site->version},
        {"profile", probe_heap_profile_name()},
    };
    add_process(text, &figures);
    probe_metric_begin(text, &info);
    probe_metric_sample(text, &info, labels, sizeof(labels) / sizeof(labels[0]), 1);
    add_heap(text, &figures.heap);
    add_recorder(text);
    probe_metric_gauge(
        text, "leakprobe_resident_memory_peak_bytes",
        "The most that process_resident_memory_bytes has been, in bytes.",
        figures.process.peak_rss_bytes);
    probe_metric_gauge(text, "leakprobe_sockets",
                       "Open file descriptors that are sockets.",
                       figures.process.sockets);
    if (figures.process.timers_counted) {
        probe_metric_gauge(text, "leakprobe_timers", "POSIX timers of the process.",
                           figures.process.timers);
    }
    add_counts(text, &figures.counts);
    return 0;
}
