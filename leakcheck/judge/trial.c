/*
 * The order of the steps: baseline, rounds, blame. Before each sample the server
 * settles: a leaky half to the growth that it declares, a fixed half to the baseline.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/amount.h"
#include "base/clock.h"
#include "base/size.h"
#include "leakcheck/judge/trial_run.h"
#include "leakcheck/measure/drive.h"
#include "leakcheck/measure/settle.h"

#define SIZE_WANTED MIB /* heap per call: exact, and far below the limits */
#define LEAKY_PATIENCE_MS 1000
#define LATE_PATIENCE_MS 200 /* at first, and after a round did not reach its rule */
#define HEAP_SLACK KIB       /* bytes a call: not worth waiting for */
#define RAIL_PART 8          /* a scenario uses at most an eighth of each guard rail */

static const enum resource counted[] = {RESOURCE_THREADS, RESOURCE_FDS, RESOURCE_TIMERS,
                                        RESOURCE_CHILDREN};
#define COUNTED (sizeof(counted) / sizeof(counted[0]))

/* Chooses the main size. A smaller size shows the same leak, so a call leaves about
 * SIZE_WANTED bytes. */
static int64_t bytes_choose(const struct scenario_info *info)
{
    int64_t heap = info->leaves.amount[RESOURCE_HEAP];
    if (info->kind != KIND_PERMANENT || info->bytes_default == UNKNOWN ||
        heap <= SIZE_WANTED) {
        return UNKNOWN;
    }
    double part = (double)SIZE_WANTED / (double)heap;
    int64_t bytes = (int64_t)((double)info->bytes_default * part) / KIB * KIB;
    return bytes < info->bytes_min ? info->bytes_min : bytes;
}

static unsigned calls_choose(const struct scenario_info *info,
                             const struct trial_plan *plan)
{
    int64_t calls = info->kind == KIND_TEMPORARY ? 1 : plan->calls;
    for (size_t i = 0; i < COUNTED; i++) {
        int64_t each = info->leaves.amount[counted[i]];
        int64_t limit = plan->limits.amount[counted[i]];
        if (each > 0 && limit != UNKNOWN) {
            int64_t allowed = limit / RAIL_PART / each / plan->rounds;
            calls = allowed < calls ? allowed : calls;
        }
    }
    return calls < 1 ? 1 : (unsigned)calls;
}

/* Whether threads allocate all the time, of this scenario or of another. */
static bool heap_is_restless(const struct trial *trial)
{
    return trial->info->growth_bytes_per_second > 0 ||
           trial->samples[0].heap_grows_alone;
}

/* The settle rule after `calls` calls. */
static struct settle_rule rule_make(const struct trial_run *run, int64_t calls)
{
    const struct trial *trial = run->trial;
    const struct resources *base = &trial->samples[0].now;
    bool leaky = run->plan->role == ROLE_LEAKY;
    struct settle_rule rule = settle_rule_any(run->server);
    /* A server that could not at first is not waited for. */
    rule.whole = !leaky && settle_is_whole(&trial->samples[0]);
    rule.ignore_heap = heap_is_restless(trial);
    rule.patience_ms = leaky ? LEAKY_PATIENCE_MS : SETTLE_PATIENCE_MS;
    if (run->late) {
        rule.patience_ms = LATE_PATIENCE_MS;
    }
    for (size_t i = 0; i < COUNTED; i++) {
        int64_t left =
            leaky ? amount_multiply(trial->declared.amount[counted[i]], calls) : 0;
        rule.at_least.amount[counted[i]] =
            leaky ? amount_add(base->amount[counted[i]], left) : UNKNOWN;
        rule.at_most.amount[counted[i]] = amount_add(base->amount[counted[i]], left);
    }
    int64_t heap = trial->declared.amount[RESOURCE_HEAP];
    if (leaky && heap > 0) {
        int64_t left = amount_multiply(heap, calls) / 100 * 98;
        rule.at_least.amount[RESOURCE_HEAP] =
            amount_add(base->amount[RESOURCE_HEAP], left);
    } else if (!leaky) {
        int64_t slack = HEAP_SLACK;
        int64_t threads = trial->declared.amount[RESOURCE_THREADS];
        slack = amount_add(slack, amount_multiply(threads, THREAD_COST_BYTES));
        rule.at_most.amount[RESOURCE_HEAP] =
            amount_add(base->amount[RESOURCE_HEAP], amount_multiply(slack, calls));
    }
    return rule;
}

/* Waits until the server has settled, and takes the first sample and the profiles to
 * compare with. */
static int baseline_take(struct trial_run *run)
{
    struct trial *trial = run->trial;
    struct sample sample;
    struct settle_rule rule = settle_rule_any(run->server);
    int error = trial_bases_take(run);
    if (error == 0) {
        error = sample_take(run->server, &sample, false, NULL, run->failure);
    }
    if (error == 0) {
        rule.whole = run->plan->role == ROLE_FIXED;
        rule.patience_ms = rule.whole ? LATE_PATIENCE_MS : 0;
        rule.ignore_heap =
            sample.heap_grows_alone || trial->info->growth_bytes_per_second > 0;
        error = settle(run->server, &rule, &trial->samples[0], run->failure);
    }
    if (error == 0) {
        error = server_heap(run->server, false, &run->heap_base, run->failure);
        trial->sample_count = 1;
    }
    return error;
}

/* Makes the calls of one round. */
static int round_drive(struct trial_run *run, struct resources *ret_peak)
{
    struct trial *trial = run->trial;
    int error = 0;
    if (trial->info->kind == KIND_TEMPORARY) {
        struct resources peak;
        error = drive_held(run->server, &run->own, trial->info, &peak, run->failure);
        if (error == 0) {
            *ret_peak = peak;
        }
        return error == -ENODATA && run->plan->may_end_early ? 0 : error;
    }
    for (unsigned i = 0; i < trial->calls && error == 0; i++) {
        error = drive_scenario(run->server, trial->info, trial->bytes, &trial->declared,
                               run->failure);
    }
    return error;
}

static int round_run(struct trial_run *run)
{
    struct trial *trial = run->trial;
    struct sample *sample = &trial->samples[trial->sample_count];
    struct resources peak;
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        peak.amount[i] = UNKNOWN;
    }
    int error = round_drive(run, &peak);
    if (error < 0) {
        return error;
    }
    int64_t calls = (int64_t)trial->sample_count * trial->calls;
    struct settle_rule rule = rule_make(run, calls);
    error = settle(run->server, &rule, sample, run->failure);
    if (error < 0) {
        return error;
    }
    sample->calls = calls;
    sample->peak = peak;
    run->late = run->late || !settle_arrived(&rule, sample);
    trial->sample_count++;
    return 0;
}

/* Waits for the dwell time and takes the last sample again: growth must still be
 * there. */
static int dwell(struct trial_run *run)
{
    struct trial *trial = run->trial;
    if (run->plan->dwell_ms == 0) {
        return 0;
    }
    struct sample *last = &trial->samples[trial->sample_count - 1];
    struct sample sample;
    clock_sleep_ms(run->plan->dwell_ms);
    int error = sample_take(run->server, &sample, false, NULL, run->failure);
    if (error == 0) {
        last->now = sample.now;
    }
    return error;
}

static void fits_make(struct trial *trial)
{
    int64_t calls[ROUNDS_MAX + 1] = {0};
    int64_t values[ROUNDS_MAX + 1] = {0};
    for (int resource = 0; resource < RESOURCE_COUNT; resource++) {
        trial->measured[resource] = true;
        for (size_t i = 0; i < trial->sample_count; i++) {
            calls[i] = trial->samples[i].calls;
            values[i] = trial->samples[i].now.amount[resource];
            trial->measured[resource] =
                trial->measured[resource] && values[i] != UNKNOWN;
        }
        if (trial->measured[resource]) {
            trial->fits[resource] = fit_rounds(calls, values, trial->sample_count);
        }
    }
}

/* All steps between the baseline and the blame. */
static int rounds_run(struct trial_run *run)
{
    for (unsigned i = 0; i < run->plan->rounds; i++) {
        int error = round_run(run);
        if (error < 0) {
            return error;
        }
    }
    return dwell(run);
}

/* Opens the connection for held calls before the baseline, so that it does not count as
 * growth. */
static int own_connection_open(struct trial_run *run)
{
    if (run->trial->info->kind != KIND_TEMPORARY) {
        return 0;
    }
    int error = http_open(&run->own, run->server->http.given, run->failure);
    if (error == 0) {
        error = http_get_ok(&run->own, "/status", &run->server->reply, run->failure);
    }
    return error;
}

static int trial_steps(struct trial_run *run)
{
    int error = own_connection_open(run);
    if (error == 0) {
        error = baseline_take(run);
    }
    if (error == 0) {
        error = rounds_run(run);
    }
    if (error == 0) {
        fits_make(run->trial);
        error = trial_blame(run);
    }
    if (error == 0 && run->trial->info->growth_bytes_per_second > 0 &&
        run->plan->role == ROLE_LEAKY) {
        error = trial_rate(run);
    }
    return error;
}

int trial_run(struct server *server, const struct scenario_info *info,
              const struct trial_plan *plan, struct trial *ret_trial,
              struct failure *failure)
{
    struct trial trial = {
        .info = info, .bytes = bytes_choose(info), .calls = calls_choose(info, plan)};
    struct trial_run run = {
        .server = server, .plan = plan, .trial = &trial, .failure = failure};
    trial.samples = calloc(plan->rounds + 1, sizeof(*trial.samples));
    int error = trial.samples == NULL ? failure_set(failure, ENOMEM, "out of memory")
                                      : trial_steps(&run);
    trial_run_release(&run);
    if (error < 0) {
        trial_release(&trial);
        return error;
    }
    *ret_trial = trial;
    return 0;
}
