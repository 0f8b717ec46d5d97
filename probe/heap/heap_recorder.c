#include "probe/heap/heap_recorder.h"

#include <errno.h>
#include <stdlib.h>

#include "probe/heap/heap_dump.h"
#include "probe/recorder/inside.h"
#include "probe/recorder/recorder.h"
#include "probe/symbols/symbols.h"

int probe_heap_recorder_start(enum heap_profile profile, size_t period)
{
    bool sampled = profile == HEAP_PROFILE_SAMPLED;
    int error =
        probe_recorder_start(sampled ? RECORDER_SAMPLED : RECORDER_EXACT, period);
    if (error != 0) {
        return error;
    }
    /* The recorder may have loaded libunwind. The symbols are read again now, so that
     * the memory for it is not in the profile. */
    probe_inside++;
    probe_symbols_load(); /* errors are ignored: bare addresses are still useful */
    probe_inside--;
    if (sampled) {
        return 0;
    }
    /* A block that is freed again also makes the totals differ from what is in use:
     * Go's parser believes that a text has no totals where they are equal. */
    free(malloc(1));
    struct recorder_figures figures;
    probe_recorder_read_figures(&figures);
    return figures.allocations > 0 ? 0 : -ENOTSUP;
}

bool probe_heap_recorded(void)
{
    return probe_recorder_mode() != RECORDER_OFF;
}

int probe_heap_recorder_snapshot(enum heap_values values,
                                 struct heap_snapshot *ret_snapshot)
{
    if (!probe_heap_recorded()) {
        return -ENOTSUP;
    }
    struct heap_snapshot snapshot = {.period = 1};
    if (probe_recorder_mode() == RECORDER_SAMPLED) {
        snapshot.period = (int64_t)probe_recorder_period();
    }
    int error = probe_recorder_snapshot(values == HEAP_VALUES_RAW, &snapshot.stacks);
    if (error != 0) {
        return error;
    }
    struct recorder_figures figures;
    probe_recorder_read_figures(&figures);
    snapshot.lost = figures.lost;
    *ret_snapshot = snapshot;
    return 0;
}

int probe_heap_recorder_dump(const char *directory, const char *name, char *ret_path,
                             size_t path_size, uint64_t *ret_in_use_bytes)
{
    struct heap_snapshot snapshot;
    int error = probe_heap_recorder_snapshot(HEAP_VALUES_RAW, &snapshot);
    if (error == 0) {
        error = probe_heap_dump_write(&snapshot, directory, name, ret_path, path_size,
                                      ret_in_use_bytes);
        probe_heap_snapshot_release(&snapshot);
    }
    return error;
}

/* The counters change while they are read: no difference may fall below zero. */
static uint64_t rest(uint64_t all, uint64_t gone)
{
    return all > gone ? all - gone : 0;
}

void probe_heap_recorder_figures(struct heap_figures *figures)
{
    if (!probe_heap_recorded()) {
        return;
    }
    struct recorder_figures recorded;
    probe_recorder_read_figures(&recorded);
    figures->known = true;
    figures->in_use_bytes = rest(recorded.allocated_bytes, recorded.freed_bytes);
    figures->counted = true;
    figures->total_bytes = recorded.allocated_bytes;
    figures->allocations = recorded.allocations;
    figures->deallocations = recorded.frees;
    figures->live_objects = rest(recorded.allocations, recorded.frees);
}
