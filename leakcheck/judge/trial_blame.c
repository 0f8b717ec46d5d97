/*
 * Each resource that grew is blamed by its own profile: the heap, the threads by where
 * they wait, and all that is opened, started or mapped by who did that.
 */
#include <errno.h>

#include "base/clock.h"
#include "leakcheck/judge/trial_run.h"
#include "leakcheck/measure/drive.h"
#include "leakcheck/measure/names.h"

#define RATE_WINDOW_MS 1000
#define PEAK_WORTH                                                                     \
    5 /* less than a fifth of what is declared is what a fix may hold                  \
       */

int trial_bases_take(struct trial_run *run)
{
    const struct scenario_info *info = run->trial->info;
    struct trial_known *known = run->plan->known;
    for (size_t i = 0; i < made_resource_count; i++) {
        enum resource resource = made_resources[i];
        if (info->leaves.amount[resource] > 0 || info->holds.amount[resource] > 0) {
            made_base_take(&known->made, run->server, resource);
        }
    }
    if (info->leaves.amount[RESOURCE_THREADS] > 0) {
        proof_base_take(&known->proof, run->server);
    }
    /* A fix may leave threads where the bug left none. */
    bool threads_possible =
        info->leaves.amount[RESOURCE_THREADS] > 0 || run->plan->role == ROLE_FIXED;
    return run->server->threads_path != NULL && threads_possible
               ? server_threads(run->server, &run->threads_base, run->failure)
               : 0;
}

/* Takes the last heap profile, with names if any stack grew. Two profiles without names
 * are compared: they are smaller, and the server's own allocations for writing them
 * have the same stacks in both. */
static int heap_last_take(struct trial_run *run)
{
    int error = server_heap(run->server, false, &run->heap_last, run->failure);
    bool churn = run->trial->info->kind == KIND_CHURN;
    if (error < 0 || (!churn && !profile_grew(&run->heap_base, &run->heap_last))) {
        return error;
    }
    error = server_heap(run->server, true, &run->heap_names, run->failure);
    if (error == 0) {
        error = server_name_functions(run->server, &run->heap_names, run->failure);
    }
    if (error == 0) {
        profile_borrow_names(&run->heap_last, &run->heap_names);
    }
    return error;
}

static int heap_blame(struct trial_run *run)
{
    struct trial *trial = run->trial;
    bool churn = trial->info->kind == KIND_CHURN;
    bool own_growth = trial->info->growth_bytes_per_second > 0;
    struct blame_own own = trial_own(trial, run->plan->role);
    struct blame_question heap = {.what = churn ? BLAME_ALLOCATED : BLAME_IN_USE,
                                  .own = own,
                                  .base = &run->heap_base,
                                  .last = &run->heap_last,
                                  .idle_from = own_growth ? NULL : run->plan->idle_from,
                                  .idle_to = own_growth ? NULL : run->plan->idle_to};
    int error = heap_last_take(run);
    if (error == 0) {
        error = blame_find(&trial->heap, &heap, run->failure);
    }
    if (error == 0 && trial->heap.growth > 0 && !churn) {
        error = held_places_list(&trial->places, &trial->heap, own, &run->heap_base,
                                 &run->heap_last, run->failure);
    }
    int64_t calls = trial->samples[trial->sample_count - 1].calls;
    if (calls > 0) {
        const struct blame *blame = &trial->heap;
        trial->heap_per_call =
            (double)(blame->file_growth - blame->library_growth) / (double)calls;
        trial->library_per_call = (double)blame->library_growth / (double)calls;
    }
    return error;
}

/* Where the threads wait that stayed, and what is proved of them. */
static int threads_blame(struct trial_run *run)
{
    struct trial *trial = run->trial;
    struct blame_own own = trial_own(trial, run->plan->role);
    struct blame_question wait = {.what = BLAME_THREADS,
                                  .own = own,
                                  .base = &run->threads_base,
                                  .last = &run->threads_last};
    int64_t grew = trial->fits[RESOURCE_THREADS].change;
    int error = 0;
    if (run->threads_base.count > 0 &&
        (trial->info->leaves.amount[RESOURCE_THREADS] > 0 || grew > 0)) {
        error = server_threads(run->server, &run->threads_last, run->failure);
        if (error == 0) {
            error = blame_find(&trial->wait, &wait, run->failure);
        }
    }
    if (error == 0 && grew > 0) {
        error = proof_find(&trial->proof, &run->plan->known->proof, run->server, own,
                           grew, run->failure);
    }
    return error;
}

/* Whether it is worth asking who made what grew. A thread takes mappings, too, and
 * those of a leaky half are nothing that its scenario is about. */
static bool has_grown(const struct trial_run *run, enum resource resource)
{
    const struct fit *fit = &run->trial->fits[resource];
    if (resource == RESOURCE_MAPPINGS) {
        return run->plan->role == ROLE_FIXED && fit->grew_every_round;
    }
    return fit->change > 0;
}

/* How much a temporary scenario held that is worth asking who made it; 0: nothing. */
static int64_t held_amount(const struct trial_run *run, enum resource resource)
{
    const struct scenario_info *info = run->trial->info;
    int64_t peak = trial_peak_least(run->trial, resource);
    bool worth = info->kind == KIND_TEMPORARY && info->holds.amount[resource] > 0 &&
                 peak > info->holds.amount[resource] / PEAK_WORTH;
    return worth ? peak : 0;
}

/* Who makes what a call holds is seen only while it is held. */
static int peak_blame(struct trial_run *run, enum resource resource, int64_t held)
{
    struct trial *trial = run->trial;
    struct profile profile;
    bool taken;
    int error = drive_held_profile(run->server, &run->own, trial->info, resource, held,
                                   &profile, &taken, run->failure);
    if (error == 0 && taken) {
        error = made_compare(&trial->made[resource], &run->plan->known->made, &profile,
                             resource, trial_own(trial, run->plan->role), run->failure);
        profile_release(&profile);
    }
    /* That is wrong already: see trial_plan. */
    return error == -ENODATA && run->plan->may_end_early ? 0 : error;
}

/* Which code made the descriptors, threads, timers, mappings and children. */
static int made_blame(struct trial_run *run)
{
    struct trial *trial = run->trial;
    int error = 0;
    for (size_t i = 0; i < made_resource_count && error == 0; i++) {
        enum resource resource = made_resources[i];
        int64_t held = held_amount(run, resource);
        if (held > 0) {
            error = peak_blame(run, resource, held);
        } else if (has_grown(run, resource)) {
            error =
                made_find(&trial->made[resource], &run->plan->known->made, run->server,
                          resource, trial_own(trial, run->plan->role), run->failure);
        }
    }
    return error;
}

int trial_blame(struct trial_run *run)
{
    int error = heap_blame(run);
    if (error == 0) {
        error = threads_blame(run);
    }
    return error == 0 ? made_blame(run) : error;
}

int trial_rate(struct trial_run *run)
{
    struct trial *trial = run->trial;
    struct status status;
    struct profile later;
    const struct blame_own own = trial_own(trial, run->plan->role);
    int64_t start = clock_now_ms();
    int64_t held = blame_held(&run->heap_names, &trial->heap, own);
    clock_sleep_ms(RATE_WINDOW_MS);
    int error = server_heap(run->server, true, &later, run->failure);
    if (error < 0) {
        return error;
    }
    double seconds = (double)(clock_now_ms() - start) / 1000;
    int64_t growth = blame_held(&later, &trial->heap, own) - held;
    profile_release(&later);
    error = server_status(run->server, &status, run->failure);
    if (error == 0 && status.growing_held > 0) {
        trial->rate = (double)growth / seconds / (double)status.growing_held;
    }
    return error;
}

void trial_run_release(struct trial_run *run)
{
    http_close(&run->own);
    profile_release(&run->heap_base);
    profile_release(&run->heap_last);
    profile_release(&run->heap_names);
    profile_release(&run->threads_base);
    profile_release(&run->threads_last);
}
