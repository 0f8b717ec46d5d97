/*
 * All numbers have the same units in every line, so that a column can be compared and
 * added up by other programs.
 */
#include "probe/figures/memory_line.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/size.h"

#define NAME_MAX_SHOWN 60

static double in_mib(uint64_t bytes)
{
    return (double)bytes / MIB;
}

static double seconds_between(int64_t from_ns, int64_t to_ns)
{
    return (double)(to_ns - from_ns) / CLOCK_NS_PER_SECOND;
}

/* How many MiB a second were allocated from `before` to `now`. */
static double allocation_rate(const struct figures *before, const struct figures *now)
{
    double seconds = seconds_between(before->taken_ns, now->taken_ns);
    uint64_t bytes = now->heap.total_bytes - before->heap.total_bytes;
    return seconds > 0 ? in_mib(bytes) / seconds : 0;
}

size_t probe_memory_line_format(char *line, const char *name, int64_t started_ns,
                                const struct figures *before, const struct figures *now)
{
    char in_use[64] = "";
    if (now->heap.known) {
        snprintf(in_use, sizeof(in_use), "%.2f->%.2f MiB in use, ",
                 in_mib(before->heap.in_use_bytes), in_mib(now->heap.in_use_bytes));
    }
    char allocated[64] = "";
    if (now->heap.counted) {
        snprintf(allocated, sizeof(allocated), "%.2f MiB/s allocated, ",
                 allocation_rate(before, now));
    }
    const struct process_figures *process = &now->process;
    int length = snprintf(
        line, MEMORY_LINE_SIZE,
        "%.*s: memory @%.3fs: %s%s%.2f MiB resident, %u threads, %u descriptors\n",
        NAME_MAX_SHOWN, name, seconds_between(started_ns, now->taken_ns), in_use,
        allocated, in_mib(process->rss_bytes), process->threads, process->fds);
    return (size_t)length;
}

size_t probe_memory_line_format_error(char *line, const char *name, int64_t started_ns,
                                      int64_t now_ns, int error)
{
    /* Not strerror: that may allocate. */
    const char *reason = strerrordesc_np(-error);
    int length = snprintf(line, MEMORY_LINE_SIZE, "%.*s: memory @%.3fs: not read: %s\n",
                          NAME_MAX_SHOWN, name, seconds_between(started_ns, now_ns),
                          reason == NULL ? "unknown error" : reason);
    return (size_t)length;
}
