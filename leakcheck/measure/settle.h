/*
 * Settling: waiting until the work that a call started is over. It waits on a
 * condition, never for a fixed time: a fixed pause is where false leaks come from.
 */
#ifndef LEAKCHECK_MEASURE_SETTLE_H
#define LEAKCHECK_MEASURE_SETTLE_H

#include "leakcheck/measure/sample.h"

/* The lab's fixed halves end their work within 2 s. */
#define SETTLE_PATIENCE_MS 2300

/* The condition: several samples in a row are equal, and they lie where they should. If
 * they stay elsewhere, the server gets `patience_ms` to bring them there. */
struct settle_rule {
    struct resources at_least; /* UNKNOWN: any amount will do */
    struct resources at_most;
    unsigned patience_ms;
    unsigned limit_ms;   /* not at rest by then: failure */
    int64_t heap_jitter; /* a difference of so many bytes is no change */
    bool ignore_heap;    /* something else allocates all the time */
};

/* A rule that any steady state fulfils. */
struct settle_rule settle_rule_any(const struct server *server);

/* Waits. Returns 0 and the last sample, or -ETIMEDOUT if the server never came to rest,
 * or what the samples fail with. */
int settle(struct server *server, const struct settle_rule *rule,
           struct sample *ret_sample, struct failure *failure);

/* Whether the sample lies where the rule wants it. */
bool settle_arrived(const struct settle_rule *rule, const struct sample *sample);

#endif
