/*
 * One sample of every resource: /status where there is one, and the totals of the
 * profiles. Heap bytes come from the profile, which counts what was asked for, and not
 * from the allocator, which rounds up.
 */
#include "sample.h"

#include "clock.h"

static struct sample sample_start(void)
{
    struct sample sample = {.at_ms = clock_now_ms()};
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        sample.now.amount[i] = UNKNOWN;
        sample.peak.amount[i] = UNKNOWN;
    }
    return sample;
}

/* What doesn't come from the heap profile. */
static int counts_take(struct server *server, struct sample *sample,
                       struct failure *failure)
{
    struct profile profile = {0};
    if (server->has_status) {
        struct status status;
        int result = server_status(server, &status, failure);
        if (result == 0) {
            sample->now = status.now;
            sample->heap_grows_alone = status.growing_held > 0;
        }
        return result;
    }
    if (server->threads_path == NULL) {
        return 0;
    }
    int result = server_threads(server, &profile, failure);
    if (result == 0) {
        sample->now.amount[RESOURCE_THREADS] = profile.totals.inuse_objects;
        profile_release(&profile);
    }
    return result;
}

int sample_take(struct server *server, struct sample *ret_sample, bool named,
                struct profile *ret_profile, struct failure *failure)
{
    struct sample sample = sample_start();
    struct profile profile = {0};
    int result = counts_take(server, &sample, failure);
    if (result == 0) {
        result = server_heap(server, named, &profile, failure);
    }
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

int sample_take_quick(struct server *server, struct sample *ret_sample,
                      struct failure *failure)
{
    if (!server->has_status) {
        return sample_take(server, ret_sample, false, NULL, failure);
    }
    struct sample sample = sample_start();
    int result = counts_take(server, &sample, failure);
    if (result == 0) {
        *ret_sample = sample;
    }
    return result;
}
