/*
 * One sample combines three sources: /proc if the process is known, /status if there is
 * one, and the totals of the profiles. Heap bytes come from the profile, which counts
 * requested bytes; the allocator rounds them up.
 */
#include "leakcheck/measure/sample.h"

#include <stdio.h>

#include "base/clock.h"

static struct sample sample_start(void)
{
    struct sample sample = {.at_ms = clock_now_ms()};
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        sample.now.amount[i] = UNKNOWN;
        sample.peak.amount[i] = UNKNOWN;
    }
    return sample;
}

/* Adds the counts of /status. On a server of the lab it must be complete. If it fails
 * on another server, it is not asked again, and its counts are not measured. */
static int status_take(struct server *server, struct sample *sample,
                       struct failure *failure)
{
    struct status status;
    struct failure why = {""};
    int error = server_status(server, &status, &why);
    if (error == 0 && status.pid != server->pid_said) {
        return server_restarted(server, failure);
    }
    if (error < 0 && server->needs_status) {
        *failure = why;
        return error;
    }
    if (error < 0) {
        server->has_status = false;
        snprintf(server->status_reason, sizeof(server->status_reason), "%.199s",
                 why.text);
        return 0;
    }
    sample->now = status.now;
    sample->heap_grows_alone = status.growing_held > 0;
    return 0;
}

/* Adds the number of threads (in a Go program: goroutines) from the thread profile. If
 * that fails, threads are no longer measured: a count from another source could hide
 * that they grew. */
static void threads_take(struct server *server, struct sample *sample)
{
    struct profile profile;
    sample->now.amount[RESOURCE_THREADS] = UNKNOWN;
    if (server_threads_try(server, &profile)) {
        sample->now.amount[RESOURCE_THREADS] = profile.totals.inuse_objects;
        profile_release(&profile);
    }
}

/* Adds everything that does not come from the heap profile. */
static int counts_take(struct server *server, struct sample *sample,
                       struct failure *failure)
{
    int error = 0;
    if (server->has_status) {
        error = status_take(server, sample, failure);
    }
    if (error == 0 && server->has_process) {
        error = process_read(&server->process, &sample->now, failure);
    }
    if (error == 0 && server->threads_by_profile) {
        threads_take(server, sample);
    }
    return error;
}

int sample_take(struct server *server, struct sample *ret_sample, bool named,
                struct profile *ret_profile, struct failure *failure)
{
    struct sample sample = sample_start();
    struct profile profile = {0};
    int error = counts_take(server, &sample, failure);
    if (error == 0) {
        error = server_heap(server, named, &profile, failure);
    }
    if (error < 0) {
        return error;
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
    int error = counts_take(server, &sample, failure);
    if (error == 0 && !server->has_status) { /* /status has just failed */
        return sample_take(server, ret_sample, false, NULL, failure);
    }
    if (error == 0) {
        *ret_sample = sample;
    }
    return error;
}
