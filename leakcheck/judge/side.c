/*
 * Runs the trials of one server. At the end, checks that everything that was left
 * behind is still there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/amount.h"
#include "base/clock.h"
#include "leakcheck/judge/side_start.h"
#include "leakcheck/measure/names.h"
#include "leakcheck/measure/own_pages.h"

static const struct scenario_info *growing_find(const struct side *side)
{
    for (size_t i = 0; i < side->count; i++) {
        if (side->list[i].growth_bytes_per_second > 0) {
            return &side->list[i];
        }
    }
    return NULL;
}

/* Marks the scenarios to judge: those that the user named, or all. */
static int scenarios_choose(struct side *side, struct failure *failure)
{
    const struct judge_order *order = side->order;
    side->chosen = calloc(side->count, sizeof(*side->chosen));
    side->trials = calloc(side->count, sizeof(*side->trials));
    side->findings = calloc(side->count, sizeof(*side->findings));
    side->answers = calloc(side->count, sizeof(*side->answers));
    if (side->chosen == NULL || side->trials == NULL || side->findings == NULL ||
        side->answers == NULL) {
        return failure_set(failure, ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < side->count; i++) {
        side->chosen[i] = order->scenario_count == 0;
    }
    for (size_t j = 0; j < order->scenario_count; j++) {
        bool found = false;
        for (size_t i = 0; i < side->count; i++) {
            if (strcmp(side->list[i].name, order->scenarios[j]) == 0) {
                side->chosen[i] = true;
                found = true;
            }
        }
        if (!found) {
            return failure_set(failure, EINVAL,
                               "%s has no scenario named '%.60s'; leakcheck --list "
                               "%s names them",
                               side->server.http.base, order->scenarios[j],
                               side->server.http.base);
        }
    }
    return 0;
}

/* A server of the lab must have /status: without it there is no verdict. */
static int status_check(struct side *side, struct failure *failure)
{
    struct status status = {0};
    if (!side->server.has_status) {
        return failure_set(failure, EPROTO,
                           "%s is not one of the lab's servers: it has no /status. "
                           "For another server: leakcheck --url URL --drive PATH",
                           side->server.http.base);
    }
    side->server.needs_status = true;
    side->server.needs_declared = !side->order->alone;
    int error = server_status(&side->server, &status, failure);
    side->limits = status.limits;
    return error;
}

int side_open(struct side *side, enum role role, const struct judge_order *order,
              int64_t deadline_ms, struct failure *failure)
{
    side->role = role;
    side->order = order;
    int error =
        server_open(&side->server, order->urls[side->role], deadline_ms, failure);
    if (error == 0) {
        error = status_check(side, failure);
    }
    if (error == 0) {
        error = server_scenarios(&side->server, &side->arena, &side->list, &side->count,
                                 failure);
    }
    if (error == 0) {
        error = scenarios_choose(side, failure);
    }
    const struct scenario_info *growing = error == 0 ? growing_find(side) : NULL;
    side->server.growing = growing == NULL ? NULL : growing->name;
    return error;
}

static struct finding finding_make(const struct side *side, const struct trial *trial)
{
    return side->role == ROLE_LEAKY ? verdict_leaky(trial) : verdict_fixed(trial);
}

/* Makes the trial of one scenario; once more, if the result is not clear. */
static int scenario_try(struct side *side, size_t index, unsigned dwell_ms)
{
    struct trial_plan plan = {
        .role = side->role,
        .rounds = side->order->rounds,
        .calls = side->order->calls,
        /* That is wrong already, and the other scenarios are to be judged. */
        .may_end_early =
            side->role == ROLE_FIXED && answers_unfinished(&side->answers[index]),
        .dwell_ms = dwell_ms,
        .limits = side->limits,
        .idle_from = side->idle_from.count > 0 ? &side->idle_from : NULL,
        .idle_to = side->idle_to.count > 0 ? &side->idle_to : NULL,
        .known = &side->known};
    struct finding *finding = &side->findings[index];
    *finding = (struct finding){0};
    for (int attempt = 0; attempt < 2 && !finding->good && !finding->clear; attempt++) {
        trial_release(&side->trials[index]);
        int error = trial_run(&side->server, &side->list[index], &plan,
                              &side->trials[index], &side->failure);
        if (error < 0) {
            return error;
        }
        *finding = finding_make(side, &side->trials[index]);
    }
    return 0;
}

static int scenario_judge(struct side *side, size_t index, unsigned dwell_ms)
{
    int error = scenario_try(side, index, dwell_ms);
    /* Nothing is said to hold while what earlier calls began could still end. */
    if (error == 0 && side->leftover && side->findings[index].good) {
        error = side_leftover_await(side);
        if (error == 0) {
            error = scenario_try(side, index, dwell_ms);
        }
    }
    if (error < 0) {
        return error;
    }
    const struct trial *trial = &side->trials[index];
    side->last_call_ms = trial->samples[trial->sample_count - 1].at_ms;
    return 0;
}

/* Scenarios whose threads allocate come last, because they disturb the others. */
static int scenarios_judge(struct side *side)
{
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < side->count; i++) {
            if (!side->chosen[i] || side_is_late(side, i) != (pass == 1)) {
                continue;
            }
            if (atomic_load(side->stop)) {
                return -ECANCELED;
            }
            int error = scenario_judge(side, i, 0);
            if (error < 0) {
                return error;
            }
            if (side->order->progress != NULL) {
                atomic_fetch_add(&side->order->progress->done[side->role], 1);
            }
        }
    }
    return 0;
}

/* Whether the growth that a trial found is still there: the heap in the blamed
 * function, and the counts. Counts cannot be told apart by trial; `counts_stay` says
 * for each whether the sum of all trials is still there. */
static bool growth_stayed(const struct side *side, const struct trial *trial,
                          const bool *counts_stay)
{
    const struct blame_own own = trial_own(trial, side->role);
    for (int i = RESOURCE_THREADS; i <= RESOURCE_TIMERS; i++) {
        if (trial->fits[i].change > 0 && !counts_stay[i]) {
            return false;
        }
    }
    return trial->declared.amount[RESOURCE_HEAP] == 0 ||
           blame_held(&side->heap, &trial->heap, own) >= trial->heap.growth;
}

/* Sets, for each count, whether it is at least the first baseline plus all growth. */
static void counts_check(const struct side *side, const struct resources *now,
                         bool *ret_stay)
{
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        int64_t first = INT64_MAX;
        int64_t growth = 0;
        for (size_t j = 0; j < side->count; j++) {
            const struct trial *trial = &side->trials[j];
            if (trial->info == NULL || trial->info->kind != KIND_PERMANENT) {
                continue;
            }
            int64_t base = trial->samples[0].now.amount[i];
            first = base < first ? base : first;
            growth = amount_add(growth, trial->fits[i].change);
        }
        ret_stay[i] = first == INT64_MAX || now->amount[i] >= amount_add(first, growth);
    }
}

/* Checks that leaks stay. A trial of the leaky half waits only until the growth
 * appears. So all growth is checked again long after the last call. If some of it is
 * gone, its trial is repeated with a longer wait. */
static int leaks_confirm(struct side *side)
{
    int64_t waited = clock_now_ms() - side->last_call_ms;
    if (waited < SETTLE_PATIENCE_MS) {
        clock_sleep_ms((unsigned)(SETTLE_PATIENCE_MS - waited));
    }
    struct sample sample;
    bool counts_stay[RESOURCE_COUNT];
    int error = sample_take(&side->server, &sample, true, &side->heap, &side->failure);
    if (error == 0) {
        error = server_name_functions(&side->server, &side->heap, &side->failure);
    }
    if (error < 0) {
        return error;
    }
    counts_check(side, &sample.now, counts_stay);
    for (size_t i = 0; i < side->count && error == 0; i++) {
        const struct trial *trial = &side->trials[i];
        if (side->chosen[i] && side->findings[i].good &&
            trial->info->kind == KIND_PERMANENT &&
            !growth_stayed(side, trial, counts_stay)) {
            error = scenario_judge(side, i, SETTLE_PATIENCE_MS);
        }
    }
    return error;
}

/* Asks the fixed half once more, after all calls of the trials. */
static int last_calls(struct side *side)
{
    int error = 0;
    for (size_t i = 0; i < side->count && error == 0; i++) {
        if (side->role == ROLE_FIXED && side->chosen[i]) {
            error = answers_ask_again(&side->server, &side->list[i], &side->answers[i],
                                      &side->failure);
        }
    }
    return error;
}

static bool has_places(const struct side *side, size_t index)
{
    return side->chosen[index] && side->trials[index].places.blamed.count > 0;
}

/* Finds out who holds what the trials found to stay. One profile before all trials and
 * one after them are enough, because each scenario has code of its own; and no sample
 * is taken while the server stops its threads for them. */
static int holders_find(struct side *side)
{
    struct profile last = {0};
    bool asked = false;
    bool there = false;
    int error = 0;
    for (size_t i = 0; i < side->count && error == 0; i++) {
        if (!has_places(side, i)) {
            continue;
        }
        struct trial *trial = &side->trials[i];
        there = asked ? there : own_retained_try(&side->server, &last);
        asked = true;
        if (there) {
            error = held_find(&trial->held, &trial->places, &side->retained, &last,
                              &side->failure);
        } else {
            held_refuse(&trial->held, side->server.own_pages[OWN_RETAINED].reason);
        }
    }
    profile_release(&last);
    return error;
}

/* All steps between opening and releasing. */
static int side_steps(struct side *side)
{
    int error = side_warm_up(side);
    if (error == 0) {
        error = side_bases_take(side);
    }
    if (error == 0) {
        error = scenarios_judge(side);
    }
    if (error < 0) {
        return error;
    }
    if (side->order->alone) {
        return holders_find(side);
    }
    error = side->role == ROLE_LEAKY
                ? leaks_confirm(side)
                : server_heap(&side->server, true, &side->heap, &side->failure);
    if (error == 0) {
        error = holders_find(side);
    }
    if (error == 0) {
        error = side_first_calls(side, true);
    }
    return error < 0 ? error : last_calls(side);
}

void side_judge(struct side *side, atomic_bool *stop)
{
    side->stop = stop;
    side->error = side_steps(side);
    if (side->error < 0) {
        atomic_store(stop, true);
    }
}

void side_release(struct side *side)
{
    for (size_t i = 0; side->trials != NULL && i < side->count; i++) {
        trial_release(&side->trials[i]);
    }
    free(side->chosen);
    free(side->trials);
    free(side->findings);
    free(side->answers);
    profile_release(&side->heap);
    profile_release(&side->idle_from);
    profile_release(&side->idle_to);
    profile_release(&side->retained);
    made_base_release(&side->known.made);
    proof_base_release(&side->known.proof);
    arena_release(&side->arena);
    server_close(&side->server);
}
