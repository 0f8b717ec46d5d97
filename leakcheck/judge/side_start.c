/*
 * The first calls have costs that no later one has. So they come before the trials, and
 * what they began must be over.
 */
#include "leakcheck/judge/side_start.h"

#include <errno.h>

#include "base/clock.h"
#include "leakcheck/measure/drive.h"
#include "leakcheck/measure/own_pages.h"

#define FIRST_PATIENCE_MS 300 /* judged alone: see leftover_check */
#define IDLE_WINDOW_MS 300    /* three periods of the slowest allocating thread */

bool side_is_late(const struct side *side, size_t index)
{
    return side->list[index].growth_bytes_per_second > 0;
}

int side_first_calls(struct side *side, bool late)
{
    int error = 0;
    struct resources declared;
    for (size_t i = 0; i < side->count && error == 0; i++) {
        const struct scenario_info *info = &side->list[i];
        if (!side->chosen[i] || side_is_late(side, i) != late) {
            continue;
        }
        if (atomic_load(side->stop)) {
            return -ECANCELED;
        }
        error = side->order->alone
                    ? drive_scenario(&side->server, info, UNKNOWN, &declared,
                                     &side->failure)
                    : answers_ask(&side->server, info, side->role, &side->limits,
                                  &side->answers[i], &side->failure);
    }
    return error;
}

/* How long to wait until what the first calls began is over. What a leaky half leaves
 * stays anyway. */
static unsigned first_patience_ms(const struct side *side)
{
    if (side->role == ROLE_LEAKY) {
        return 0;
    }
    return side->order->alone ? FIRST_PATIENCE_MS : SETTLE_PATIENCE_MS;
}

int side_leftover_await(struct side *side)
{
    struct sample sample;
    side->before.patience_ms = SETTLE_PATIENCE_MS;
    side->leftover = false;
    return settle(&side->server, &side->before, &sample, &side->failure);
}

/* A half that is judged alone mostly leaks, and what it leaves is not worth waiting
 * for. If the counts rise with a second call as with the first, they show a leak, and
 * the trials begin. If not, the first call began what stays, or what ends later and
 * would then hide as much growth: that is waited for. `first` is the sample after one
 * call. */
static int leftover_check(struct side *side, const struct sample *first)
{
    struct settle_rule rule = side->before;
    struct sample second;
    rule.at_most = first->now;
    rule.at_most.amount[RESOURCE_HEAP] = UNKNOWN;
    int error = side_first_calls(side, false);
    if (error == 0) {
        error = settle(&side->server, &rule, &second, &side->failure);
    }
    if (error < 0) {
        return error;
    }
    side->leftover = !settle_arrived(&rule, &second);
    return side->leftover ? 0 : side_leftover_await(side);
}

/* Takes the profiles of who made things. Where there are none, nobody is blamed. */
static void known_take(struct side *side)
{
    for (size_t i = 0; i < made_resource_count; i++) {
        made_base_take(&side->known.made, &side->server, made_resources[i]);
    }
    proof_base_take(&side->known.proof, &side->server);
}

/* The costs of first calls must not be measured. So every scenario whose threads do not
 * allocate runs once, and both profiles are taken once: for them the server loads
 * symbols. */
int side_warm_up(struct side *side)
{
    struct profile profile;
    struct settle_rule rule = settle_rule_any(&side->server);
    struct sample sample;
    int error = sample_take(&side->server, &sample, true, NULL, &side->failure);
    if (error == 0 && side->server.threads_path != NULL) {
        error = server_threads(&side->server, &profile, &side->failure);
        if (error == 0) {
            profile_release(&profile);
        }
    }
    if (error == 0) {
        known_take(side);
        rule.ignore_heap = sample.heap_grows_alone;
        error = settle(&side->server, &rule, &sample, &side->failure);
    }
    if (error < 0) {
        return error;
    }
    rule.at_most = sample.now;
    rule.at_most.amount[RESOURCE_HEAP] = UNKNOWN;
    rule.patience_ms = first_patience_ms(side);
    error = side_first_calls(side, false);
    if (error == 0) {
        error = settle(&side->server, &rule, &sample, &side->failure);
    }
    side->before = rule;
    if (error == 0 && side->order->alone && !settle_arrived(&rule, &sample)) {
        error = leftover_check(side, &sample);
    }
    return error;
}

/* Takes two profiles of the idle server, to find the stacks that grow without calls:
 * threads that an earlier thread-loop left. */
static int idle_watch(struct side *side)
{
    struct status status;
    int error = server_status(&side->server, &status, &side->failure);
    if (error < 0) {
        return error;
    }
    side->limits = status.limits;
    if (status.growing_held == 0) {
        return 0;
    }
    error = server_heap(&side->server, false, &side->idle_from, &side->failure);
    if (error == 0) {
        clock_sleep_ms(IDLE_WINDOW_MS);
        error = server_heap(&side->server, false, &side->idle_to, &side->failure);
    }
    return error;
}

int side_bases_take(struct side *side)
{
    /* Where there is none, the trials say why. */
    own_retained_try(&side->server, &side->retained);
    known_take(side);
    return idle_watch(side);
}
