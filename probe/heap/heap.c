/*
 * What all implementations of heap.h have in common.
 */
#include "probe/heap/heap.h"

const char *probe_heap_profile_name(void)
{
    static const char *const names[] = {
        [HEAP_PROFILE_OFF] = "off",
        [HEAP_PROFILE_EXACT] = "exact",
        [HEAP_PROFILE_RECORDER] = "recorder",
        [HEAP_PROFILE_SAMPLED] = "sampled",
    };
    return names[probe_heap_profile()];
}

bool probe_heap_profiled(void)
{
    return probe_heap_profile() != HEAP_PROFILE_OFF;
}
