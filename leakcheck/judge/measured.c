#include "leakcheck/judge/measured.h"

#include <stdio.h>

static size_t samples_counted(const struct trial *trial, enum resource resource)
{
    size_t count = 0;
    for (size_t i = 0; i < trial->sample_count; i++) {
        count += trial->samples[i].now.amount[resource] != UNKNOWN;
    }
    return count;
}

/* When /status says null. */
static const char *null_when(enum resource resource)
{
    return resource == RESOURCE_CHILDREN
               ? "with over 250 threads, while they come and go, or where the kernel "
                 "does not list them"
               : "where it cannot read them";
}

bool measured_whole(const struct trial *trial, struct finding *finding)
{
    static const enum resource needed[] = {RESOURCE_THREADS,  RESOURCE_FDS,
                                           RESOURCE_TIMERS,   RESOURCE_RSS,
                                           RESOURCE_MAPPINGS, RESOURCE_CHILDREN};
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        enum resource resource = needed[i];
        if (trial->measured[resource]) {
            continue;
        }
        size_t counted = samples_counted(trial, resource);
        finding->unmeasured = true;
        finding->clear = counted == 0; /* else the next trial may count it */
        finding->over = resource;
        snprintf(finding->reason, sizeof(finding->reason),
                 "%s were counted in %zu of %zu samples; /status says null %s",
                 resource_name(resource), counted, trial->sample_count,
                 null_when(resource));
        return false;
    }
    return true;
}

bool measured_peak(const struct trial *trial, struct finding *finding)
{
    if (trial_peak_least(trial, RESOURCE_FDS) != UNKNOWN) {
        return true;
    }
    finding->unmeasured = true;
    finding->over = RESOURCE_FDS;
    snprintf(finding->reason, sizeof(finding->reason),
             "a call is over before anything can be measured");
    return false;
}
