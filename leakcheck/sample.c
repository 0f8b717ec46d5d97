/*
 * One sample of every resource: /status where there is one, and the totals of the
 * profiles. Heap bytes come from the profile, which counts what was asked for, and not
 * from the allocator, which rounds up.
 */
#include "sample.h"

#include "clock.h"

int sample_take(struct server *server, struct sample *ret_sample, bool named,
                struct profile *ret_profile, struct failure *failure)
{
    struct sample sample = {.at_ms = clock_now_ms()};
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        sample.now.amount[i] = UNKNOWN;
        sample.peak.amount[i] = UNKNOWN;
    }
    int result = 0;
    struct profile profile;
    if (server->has_status) {
        struct status status;
        result = server_status(server, &status, failure);
        if (result < 0) {
            return result;
        }
        sample.now = status.now;
        sample.heap_grows_alone = status.growing_held > 0;
    } else if (server->threads_path != NULL) {
        result = server_threads(server, &profile, failure);
        if (result < 0) {
            return result;
        }
        sample.now.amount[RESOURCE_THREADS] = profile.totals.inuse_objects;
        profile_release(&profile);
    }
    result = server_heap(server, named, &profile, failure);
    if (result < 0) {
        return result;
    }
    sample.now.amount[RESOURCE_HEAP] = profile.totals.inuse_bytes;
    sample.now.amount[RESOURCE_TOTAL] = profile.totals.alloc_bytes;
    if (ret_profile != NULL) {
        *ret_profile = profile;
    } else {
        profile_release(&profile);
    }
    *ret_sample = sample;
    return 0;
}
