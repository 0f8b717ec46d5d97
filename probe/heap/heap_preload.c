/*
 * The heap of a program that is not ours, for the library that is loaded into it: all
 * that the recorder knows, over whatever allocator the program has. What the allocator
 * has taken from the system is known only if it is the GNU C library's.
 */
#include <malloc.h>

#include "probe/heap/heap.h"
#include "probe/heap/heap_recorder.h"
#include "probe/process/allocator.h"
#include "probe/recorder/recorder.h"

bool probe_heap_can_profile(void)
{
    return true;
}

int probe_heap_prepare(char **argv)
{
    (void)argv;
    return 0;
}

/* Whether the recorder sees the program's allocations is not tried out here: the
 * program gets no allocation that is not its own. */
int probe_heap_start(enum heap_profile profile, size_t period)
{
    if (profile == HEAP_PROFILE_OFF) {
        return 0;
    }
    bool sampled = profile == HEAP_PROFILE_SAMPLED;
    return probe_recorder_start(sampled ? RECORDER_SAMPLED : RECORDER_EXACT, period);
}

enum heap_profile probe_heap_profile(void)
{
    switch (probe_recorder_mode()) {
    case RECORDER_EXACT:
        return HEAP_PROFILE_EXACT;
    case RECORDER_SAMPLED:
        return HEAP_PROFILE_SAMPLED;
    default:
        return HEAP_PROFILE_OFF;
    }
}

void probe_heap_limit(size_t bytes)
{
    (void)bytes; /* the program is not ours to limit */
}

void probe_heap_read_figures(struct heap_figures *ret_figures)
{
    struct heap_figures figures = {0};
    if (probe_allocator_is_glibc()) {
        struct mallinfo2 info = mallinfo2();
        figures.known = figures.system_known = true;
        figures.in_use_bytes = info.uordblks + info.hblkhd;
        figures.system_bytes = info.arena + info.hblkhd;
        figures.free_bytes = info.fordblks;
    }
    probe_heap_recorder_figures(&figures);
    *ret_figures = figures;
}

uint64_t probe_heap_in_use_bytes(void)
{
    struct heap_figures figures;
    probe_heap_read_figures(&figures);
    return figures.in_use_bytes;
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
    if (probe_allocator_is_glibc()) {
        malloc_trim(0);
    }
}
