/*
 * What a trial has found out, for those that judge it or report it.
 */
#include <stdlib.h>

#include "leakcheck/judge/trial.h"

void trial_release(struct trial *trial)
{
    free(trial->samples);
    held_places_release(&trial->places);
    *trial = (struct trial){0};
}

struct blame_own trial_own(const struct trial *trial, enum role role)
{
    const char *const *files = trial->info->files;
    if (role == ROLE_FIXED) {
        return (struct blame_own){.paths = files, .count = 2};
    }
    return (struct blame_own){.paths = files, .count = files[0][0] == '\0' ? 0 : 1};
}

int64_t trial_peak_most(const struct trial *trial, enum resource resource)
{
    int64_t most = UNKNOWN;
    for (size_t i = 1; i < trial->sample_count; i++) {
        int64_t peak = trial->samples[i].peak.amount[resource];
        most = peak > most ? peak : most;
    }
    return most;
}

int64_t trial_peak_least(const struct trial *trial, enum resource resource)
{
    int64_t least = trial_peak_most(trial, resource);
    for (size_t i = 1; i < trial->sample_count; i++) {
        int64_t peak = trial->samples[i].peak.amount[resource];
        least = peak < least ? peak : least;
    }
    return least;
}

double trial_heap_growth(const struct trial *trial)
{
    int64_t calls = trial->samples[trial->sample_count - 1].calls;
    if (!trial->samples[0].heap_grows_alone || trial->info->kind == KIND_CHURN ||
        calls == 0) {
        return trial->fits[RESOURCE_HEAP].slope;
    }
    return (double)trial->heap.total / (double)calls;
}
