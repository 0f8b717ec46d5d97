/*
 * Waits for three equal cheap samples in a row, and then returns one full sample.
 */
#include "leakcheck/measure/settle.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/size.h"

#define EQUAL_SAMPLES 3
#define PAUSE_MIN_MS 8
#define PAUSE_MAX_MS 40
#define LIMIT_MS 10000
#define EXACT_JITTER 256      /* bytes */
#define GO_JITTER (128 * KIB) /* bytes: Go's runtime allocates, too */

static const enum resource watched[] = {RESOURCE_HEAP, RESOURCE_THREADS, RESOURCE_FDS,
                                        RESOURCE_TIMERS, RESOURCE_CHILDREN};
#define WATCHED_COUNT (sizeof(watched) / sizeof(watched[0]))

/* How much the heap profile moves by itself, in bytes. */
static int64_t heap_jitter(const struct server *server)
{
    if (server->heap_step > 0) {
        return server->heap_step > GO_JITTER ? server->heap_step : GO_JITTER;
    }
    return server->is_go ? GO_JITTER : EXACT_JITTER;
}

struct settle_rule settle_rule_any(const struct server *server)
{
    struct settle_rule rule = {.limit_ms = LIMIT_MS,
                               .heap_jitter = heap_jitter(server)};
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        rule.at_least.amount[i] = UNKNOWN;
        rule.at_most.amount[i] = UNKNOWN;
    }
    return rule;
}

static bool is_watched(const struct settle_rule *rule, enum resource resource)
{
    return resource != RESOURCE_HEAP || !rule->ignore_heap;
}

/* The first resource that differs between the samples; RESOURCE_COUNT if none does. */
static enum resource first_change(const struct settle_rule *rule,
                                  const struct sample *before,
                                  const struct sample *after)
{
    for (size_t i = 0; i < WATCHED_COUNT; i++) {
        enum resource resource = watched[i];
        int64_t from = before->now.amount[resource];
        int64_t to = after->now.amount[resource];
        int64_t jitter = resource == RESOURCE_HEAP ? rule->heap_jitter : 0;
        if (is_watched(rule, resource) && from != UNKNOWN && to != UNKNOWN &&
            llabs(to - from) > jitter) {
            return resource;
        }
    }
    return RESOURCE_COUNT;
}

bool settle_is_whole(const struct sample *sample)
{
    return sample->now.amount[RESOURCE_MAPPINGS] != UNKNOWN &&
           sample->now.amount[RESOURCE_CHILDREN] != UNKNOWN;
}

bool settle_arrived(const struct settle_rule *rule, const struct sample *sample)
{
    for (size_t i = 0; i < WATCHED_COUNT; i++) {
        enum resource resource = watched[i];
        int64_t least = rule->at_least.amount[resource];
        int64_t most = rule->at_most.amount[resource];
        int64_t now = sample->now.amount[resource];
        if (is_watched(rule, resource) && now != UNKNOWN &&
            ((least != UNKNOWN && now < least) || (most != UNKNOWN && now > most))) {
            return false;
        }
    }
    return !rule->whole || settle_is_whole(sample);
}

/* Whether the counts fulfil the rule. They are cheaper to get than the heap profile, so
 * they are checked first. */
static bool counts_arrived(const struct settle_rule *rule, const struct sample *sample)
{
    struct settle_rule counts = *rule;
    counts.ignore_heap = true;
    return settle_arrived(&counts, sample);
}

/* Called when the samples do not change. Sets *ret_over if the waiting is over. */
static int rest_check(struct server *server, const struct settle_rule *rule,
                      const struct sample *resting, bool late,
                      struct sample *ret_sample, bool *ret_over,
                      struct failure *failure)
{
    *ret_over = false;
    if (!late && !counts_arrived(rule, resting)) {
        return 0;
    }
    struct sample sample = *resting;
    if (server->has_status) {
        int error = sample_take(server, &sample, false, NULL, failure);
        if (error < 0) {
            return error;
        }
    }
    if (late || settle_arrived(rule, &sample)) {
        *ret_sample = sample;
        *ret_over = true;
    }
    return 0;
}

int settle(struct server *server, const struct settle_rule *rule,
           struct sample *ret_sample, struct failure *failure)
{
    int64_t start = clock_now_ms();
    unsigned equal = 1;
    struct sample sample;
    int error = sample_take_quick(server, &sample, failure);
    while (error == 0) {
        int64_t waited = clock_now_ms() - start;
        if (equal >= EQUAL_SAMPLES) {
            bool over;
            error = rest_check(server, rule, &sample, waited >= rule->patience_ms,
                               ret_sample, &over, failure);
            if (over || error < 0) {
                return error;
            }
        }
        clock_sleep_ms(waited < 100 ? PAUSE_MIN_MS : PAUSE_MAX_MS);
        struct sample before = sample;
        error = sample_take_quick(server, &sample, failure);
        if (error < 0) {
            break;
        }
        enum resource changed = first_change(rule, &before, &sample);
        equal = changed == RESOURCE_COUNT ? equal + 1 : 1;
        if (changed != RESOURCE_COUNT && waited > rule->limit_ms) {
            return failure_set(failure, ETIMEDOUT,
                               "%s does not settle: after %u s the %s still goes from "
                               "%" PRId64 " to %" PRId64 "; no verdict",
                               server->http.base, rule->limit_ms / 1000,
                               resource_name(changed), before.now.amount[changed],
                               sample.now.amount[changed]);
        }
    }
    return error;
}
