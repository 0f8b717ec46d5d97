/*
 * The heap with the C library's own allocator: its figures, and stacks from our own
 * recorder. Where a sanitizer or Valgrind has replaced the allocator, there are no
 * stacks, and where a sanitizer has, no figures.
 */
#include <malloc.h>

#include "probe/heap/heap.h"
#include "probe/heap/heap_recorder.h"
#include "probe/recorder/inside.h"
#include "probe/recorder/recorder.h"

static enum heap_profile profile_now; /* what is being recorded */

bool probe_heap_can_profile(void)
{
    return false;
}

int probe_heap_prepare(char **argv)
{
    (void)argv;
    return 0;
}

void probe_heap_start_early(void)
{
    probe_active = true;
    probe_recorder_start_early();
}

int probe_heap_start(enum heap_profile profile, size_t period)
{
    if (profile == HEAP_PROFILE_OFF || profile == HEAP_PROFILE_EXACT) {
        return 0;
    }
    probe_active = true;
    int error = probe_heap_recorder_start(profile, period);
    if (error == 0) {
        profile_now = profile;
    }
    return error;
}

enum heap_profile probe_heap_profile(void)
{
    return profile_now;
}

void probe_heap_limit(size_t bytes)
{
    (void)bytes; /* the C library has no ceiling; only RLIMIT_AS limits the heap */
}

void probe_heap_read_figures(struct heap_figures *ret_figures)
{
    struct mallinfo2 info = mallinfo2();
    bool known = info.arena + info.hblkhd > 0;
    struct heap_figures figures = {
        .known = known,
        .in_use_bytes = info.uordblks + info.hblkhd,
        .system_known = known,
        .system_bytes = info.arena + info.hblkhd,
        .free_bytes = info.fordblks,
    };
    probe_heap_recorder_figures(&figures);
    *ret_figures = figures;
}

uint64_t probe_heap_in_use_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

int probe_heap_snapshot(enum heap_values values, struct heap_snapshot *ret_snapshot)
{
    return probe_heap_recorder_snapshot(values, ret_snapshot);
}

int probe_heap_dump(const char *directory, const char *name, char *ret_path,
                    size_t path_size, uint64_t *ret_in_use_bytes)
{
    return probe_heap_recorder_dump(directory, name, ret_path, path_size,
                                    ret_in_use_bytes);
}

void probe_heap_release_free(void)
{
    malloc_trim(0);
}
