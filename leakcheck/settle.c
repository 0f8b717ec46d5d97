/*
 * Waits until a server has come to rest.
 */
#include "settle.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "clock.h"

#define EQUAL_SAMPLES 3
#define PAUSE_MIN_MS 8
#define PAUSE_MAX_MS 40
#define LIMIT_MS 10000
#define EXACT_JITTER 256       /* bytes */
#define GO_JITTER (128 * 1024) /* bytes: the runtime's own, between two collections */

static const enum resource watched[] = {RESOURCE_HEAP, RESOURCE_THREADS, RESOURCE_FDS,
                                        RESOURCE_TIMERS};
#define WATCHED_COUNT (sizeof(watched) / sizeof(watched[0]))

struct settle_rule settle_rule_any(const struct server *server)
{
    struct settle_rule rule = {.limit_ms = LIMIT_MS,
                               .heap_jitter = server->is_go ? GO_JITTER : EXACT_JITTER};
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
        int64_t change = after->now.amount[resource] - before->now.amount[resource];
        int64_t jitter = resource == RESOURCE_HEAP ? rule->heap_jitter : 0;
        if (is_watched(rule, resource) && llabs(change) > jitter) {
            return resource;
        }
    }
    return RESOURCE_COUNT;
}

bool settle_arrived(const struct settle_rule *rule, const struct sample *sample)
{
    for (size_t i = 0; i < WATCHED_COUNT; i++) {
        enum resource resource = watched[i];
        int64_t least = rule->at_least.amount[resource];
        int64_t most = rule->at_most.amount[resource];
        int64_t now = sample->now.amount[resource];
        if (is_watched(rule, resource) &&
            ((least != UNKNOWN && now < least) || (most != UNKNOWN && now > most))) {
            return false;
        }
    }
    return true;
}

int settle(struct server *server, const struct settle_rule *rule,
           struct sample *ret_sample, struct failure *failure)
{
    int64_t start = clock_now_ms();
    unsigned pause = PAUSE_MIN_MS;
    unsigned equal = 1;
    struct sample sample;
    int result = sample_take(server, &sample, false, NULL, failure);
    while (result == 0) {
        int64_t waited = clock_now_ms() - start;
        if (equal >= EQUAL_SAMPLES &&
            (settle_arrived(rule, &sample) || waited >= rule->patience_ms)) {
            *ret_sample = sample;
            return 0;
        }
        clock_sleep_ms(pause);
        struct sample before = sample;
        result = sample_take(server, &sample, false, NULL, failure);
        if (result < 0) {
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
        pause = waited < 100 ? PAUSE_MIN_MS : PAUSE_MAX_MS;
    }
    return result;
}
