/*
 * Growth is a slope over the rounds. An exact count must grow in every round, or still
 * in the later ones. A count that also moves by itself must have a slope that is larger
 * than chance explains. From TREND_ROUNDS_MIN rounds on a trend test decides instead:
 * see trend.h. The resident set and the mappings alone always get so many rounds,
 * because they climb in a server that warms up, too.
 */
#include "leakcheck/judge/gate_growth.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/amount.h"
#include "base/size.h"

#define TREND_ERRORS 3 /* standard errors: a larger slope is not chance */
#define THREAD_START                                                                   \
    (16 * KIB)            /* resident memory that a thread's first call may take */
#define THREAD_MAPPINGS 2 /* and mappings: an arena of the allocator's and its rest */
#define SAMPLES_WANTED 10 /* heap samples that growth at the limit should give */

/* Fits the samples from `first` on. */
static struct fit fit_make(const struct gate *gate, enum resource resource,
                           size_t first)
{
    int64_t calls[TREND_SAMPLES_MAX] = {0};
    int64_t values[TREND_SAMPLES_MAX] = {0};
    size_t count = gate->sample_count - first;
    for (size_t i = 0; i < count; i++) {
        calls[i] = gate->samples[first + i].calls;
        values[i] = gate->samples[first + i].now.amount[resource];
    }
    return fit_rounds(calls, values, count);
}

bool gate_is_counted(const struct gate *gate, enum resource resource)
{
    for (size_t i = 0; i < gate->sample_count; i++) {
        if (gate->samples[i].now.amount[resource] == UNKNOWN) {
            return false;
        }
    }
    return gate->sample_count > 0;
}

/* Whether it also grows in a server that is healthy: with each thread of a pool that
 * has its first call, each arena of an allocator, each library that is loaded late. */
static bool warms_up(enum resource resource)
{
    return resource == RESOURCE_RSS || resource == RESOURCE_MAPPINGS;
}

/* Whether the count is exact, so that any growth is real. Go's heap, a profile.proto of
 * samples and what warms up also move by themselves. */
static bool is_exact(const struct gate *gate, enum resource resource)
{
    const struct server *server = &gate->server;
    return !warms_up(resource) &&
           (resource != RESOURCE_HEAP || (!server->is_go && server->heap_step == 0));
}

/* The number of rounds after sample `first` in which the resource grew. */
static size_t rounds_grown(const struct gate *gate, enum resource resource,
                           size_t first)
{
    size_t grown = 0;
    for (size_t i = first + 1; i < gate->sample_count; i++) {
        grown += gate->samples[i].now.amount[resource] >
                 gate->samples[i - 1].now.amount[resource];
    }
    return grown;
}

/* Whether it rose above all before in one round alone, and may do so: a mapping that
 * comes once in many calls is an arena, or a library that is loaded late. */
static bool is_single_step(const struct gate *gate, enum resource resource)
{
    int64_t high = gate->samples[0].now.amount[resource];
    size_t steps = 0;
    for (size_t i = 1; i < gate->sample_count; i++) {
        int64_t now = gate->samples[i].now.amount[resource];
        steps += now > high;
        high = now > high ? now : high;
    }
    return resource == RESOURCE_MAPPINGS && !gate->resources[resource].limit.asked &&
           steps < 2;
}

/* Whether the resource grew by more than the limit, but not in every round; with a
 * trend: whether that is not clear. */
static bool is_open(const struct gate *gate, enum resource resource)
{
    const struct gate_resource *judged = &gate->resources[resource];
    if (judged->by_trend) {
        return judged->unclear;
    }
    return gate_is_counted(gate, resource) && !judged->over && judged->fit.change > 0 &&
           judged->fit.slope > judged->limit.most && !is_single_step(gate, resource);
}

/* Whether the slope is above the limit by more than chance explains. */
static bool is_trend(const struct fit *fit, const struct limit *limit)
{
    return fit->slope - TREND_ERRORS * fit->slope_error > limit->most;
}

/* For a resource that moves by itself: whether it really grows, over all rounds and
 * over the later ones. What warms up rises in steps and rarely falls, so it must grow
 * in most rounds. */
static bool trend_goes_on(const struct gate *gate, enum resource resource,
                          const struct fit *later)
{
    const struct gate_resource *judged = &gate->resources[resource];
    size_t rounds = gate->sample_count - 1;
    if (warms_up(resource) && rounds_grown(gate, resource, 0) * 4 < rounds * 3) {
        return false;
    }
    return is_trend(&judged->fit, &judged->limit) && is_trend(later, &judged->limit);
}

/* For a resource that did not grow in every round: whether it grew more than once in
 * the second half, after the rounds were doubled. A cache or a pool is full by then and
 * has stopped growing. */
static bool goes_on(const struct gate *gate, enum resource resource)
{
    size_t first = gate->rounds_first;
    if (gate->sample_count <= first + 1) {
        return false;
    }
    struct fit later = fit_make(gate, resource, first);
    if (!is_exact(gate, resource)) {
        return trend_goes_on(gate, resource, &later);
    }
    return rounds_grown(gate, resource, first) >= 2 && later.change > 0 &&
           later.slope > gate->resources[resource].limit.most;
}

/* How many calls are needed until the sampled heap most probably contains growth at the
 * limit, even if the blocks are small. */
static double calls_needed(const struct gate *gate)
{
    double limit = fmax(gate->resources[RESOURCE_HEAP].limit.most, 1);
    return gate->heap_period == 1 ? 0
                                  : SAMPLES_WANTED * (double)gate->heap_period / limit;
}

/* Judges the heap. A sampled profile can miss growth: a result below the limit is valid
 * only after enough calls. */
static void heap_judge(struct gate *gate)
{
    struct gate_resource *heap = &gate->resources[RESOURCE_HEAP];
    double calls = (double)gate->samples[gate->sample_count - 1].calls;
    double needed = calls_needed(gate);
    gate->heap_reason[0] = '\0';
    if (heap->measured && !heap->over && calls < needed) {
        heap->measured = false;
        heap->unclear = false;
        snprintf(gate->heap_reason, sizeof(gate->heap_reason),
                 "its profile takes one sample in %" PRId64 " bytes, which needs %.0f "
                 "calls for that limit, and there were %.0f (--rounds, --calls)",
                 gate->heap_period, ceil(needed), calls);
    }
}

/* Whether the resource grew by no more than the threads of a pool take when each gets
 * its first call: stack, thread-local memory, and its part of the allocator. That
 * climbs as a leak does until all of them had a call. */
static bool may_be_pool(const struct gate *gate, enum resource resource)
{
    const struct gate_resource *judged = &gate->resources[resource];
    int64_t threads = gate->samples[0].now.amount[RESOURCE_THREADS];
    int64_t each = resource == RESOURCE_RSS ? THREAD_START : THREAD_MAPPINGS;
    return warms_up(resource) && threads != UNKNOWN && !judged->limit.asked &&
           judged->fit.change <= amount_multiply(threads, each);
}

/* Judges a resource by the trend of its samples. */
static void trend_use(struct gate *gate, enum resource resource)
{
    struct gate_resource *judged = &gate->resources[resource];
    int64_t calls[TREND_SAMPLES_MAX];
    int64_t values[TREND_SAMPLES_MAX];
    for (size_t i = 0; i < gate->sample_count; i++) {
        calls[i] = gate->samples[i].calls;
        values[i] = gate->samples[i].now.amount[resource];
    }
    judged->trend = trend_judge(calls, values, gate->sample_count, judged->limit.most,
                                resource_is_bytes(resource));
    judged->by_trend = true;
    judged->fit.slope = judged->trend.slope;
    judged->over = judged->trend.answer == TREND_GROWS;
    judged->unclear = judged->trend.answer == TREND_UNCLEAR;
    if (judged->over && may_be_pool(gate, resource)) {
        judged->over = false;
        judged->unclear = true;
    }
}

static bool wants_trend(const struct gate *gate, enum resource resource)
{
    return gate->trends ||
           (warms_up(resource) && gate->sample_count > TREND_ROUNDS_MIN);
}

void gate_judge(struct gate *gate)
{
    for (size_t i = 0; i < gate_judged_count; i++) {
        enum resource resource = gate_judged[i];
        struct gate_resource *judged = &gate->resources[resource];
        judged->measured = gate_is_counted(gate, resource);
        judged->over = false;
        judged->unclear = false;
        judged->by_trend = false;
        if (judged->measured) {
            judged->fit = fit_make(gate, resource, 0);
        }
        if (judged->measured && wants_trend(gate, resource)) {
            trend_use(gate, resource);
        } else if (judged->measured) {
            judged->over = judged->fit.slope > judged->limit.most &&
                           (judged->fit.grew_every_round || goes_on(gate, resource));
        }
    }
    heap_judge(gate);
}

size_t gate_rounds_most(size_t rounds)
{
    return 2 * (rounds < TREND_ROUNDS_MIN ? TREND_ROUNDS_MIN : rounds);
}

/* Whether nothing but what warms up needs more rounds: it is open, or would be called a
 * leak without the test of its trend. */
static bool is_warming_alone(const struct gate *gate)
{
    bool warming = false;
    for (size_t i = 0; i < gate_judged_count; i++) {
        enum resource resource = gate_judged[i];
        const struct gate_resource *judged = &gate->resources[resource];
        bool open = is_open(gate, resource);
        if (!warms_up(resource) && (judged->over || open)) {
            return false;
        }
        warming = warming ||
                  (warms_up(resource) && (open || (judged->over && !judged->by_trend)));
    }
    return warming;
}

size_t gate_rounds_missing(const struct gate *gate)
{
    size_t rounds = gate->sample_count - 1;
    if (is_warming_alone(gate)) {
        size_t wanted = rounds < TREND_ROUNDS_MIN
                            ? TREND_ROUNDS_MIN
                            : gate_rounds_most(gate->rounds_first);
        return wanted > rounds ? wanted - rounds : 0;
    }
    for (size_t i = 0; i < gate_judged_count; i++) {
        if (is_open(gate, gate_judged[i]) && rounds == gate->rounds_first) {
            return rounds;
        }
    }
    return 0;
}

/* Writes that the trend of a resource is not clear; returns -EPROTO. */
static int trend_refuse(const struct gate *gate, enum resource resource,
                        struct failure *failure)
{
    const struct trend *trend = &gate->resources[resource].trend;
    char steps[80] = "moved without a clear direction";
    if (trend->steps > 0) {
        snprintf(steps, sizeof(steps), "grew in %zu of %zu rounds, last in round %zu",
                 trend->steps, gate->sample_count - 1, trend->last_step);
    }
    return failure_set(failure, EPROTO,
                       "%s of %s %s: a slow leak, a cache that fills, or noise; give "
                       "more --rounds or --calls; no verdict",
                       resource_name(resource), gate->server.http.base, steps);
}

/* Refuses a trend that is not clear. What warms up is noisy, so unless the user asked
 * for its limit it does not prevent a verdict on the others. */
static int trends_check(const struct gate *gate, struct failure *failure)
{
    for (size_t i = 0; i < gate_judged_count; i++) {
        const struct gate_resource *judged = &gate->resources[gate_judged[i]];
        if (judged->unclear && (!warms_up(gate_judged[i]) || judged->limit.asked)) {
            return trend_refuse(gate, gate_judged[i], failure);
        }
    }
    return 0;
}

void gate_drop_unclear(struct gate *gate)
{
    for (size_t i = 0; i < gate_judged_count; i++) {
        struct gate_resource *judged = &gate->resources[gate_judged[i]];
        judged->measured = judged->measured && !judged->unclear;
    }
}

/* A resource that grew in the first rounds and once more in the later ones stays open:
 * it may be a slow leak, or a pool that fills slowly. */
int gate_check_clarity(const struct gate *gate, struct failure *failure)
{
    int error = trends_check(gate, failure);
    if (error < 0 || gate->trends) {
        return error;
    }
    for (size_t i = 0; i < gate_judged_count; i++) {
        enum resource resource = gate_judged[i];
        const struct gate_resource *judged = &gate->resources[resource];
        struct fit later = fit_make(gate, resource, gate->rounds_first);
        if (is_open(gate, resource) && is_exact(gate, resource) && later.change > 0 &&
            later.slope > judged->limit.most) {
            return failure_set(failure, EPROTO,
                               "%s of %s grew now and then, and in the later calls "
                               "once: a slow leak, or a pool that fills; give more "
                               "--calls; no verdict",
                               resource_name(resource), gate->server.http.base);
        }
    }
    return 0;
}
