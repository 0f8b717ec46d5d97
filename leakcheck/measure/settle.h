/*
 * Settling: waiting until the work that a call has started is over. It waits for a
 * condition, never for a fixed time, because a fixed pause makes false leaks.
 */
#ifndef LEAKCHECK_MEASURE_SETTLE_H
#define LEAKCHECK_MEASURE_SETTLE_H

#include "leakcheck/measure/sample.h"

/* A fixed half ends its work within 2 s; this is a little more. */
#define SETTLE_PATIENCE_MS 2300

/* The condition: several samples in a row are equal, and each amount is between
 * at_least and at_most. If they are equal but outside these limits, the server gets
 * `patience_ms` more. */
struct settle_rule {
    struct resources at_least; /* UNKNOWN: no limit */
    struct resources at_most;
    unsigned patience_ms;
    unsigned limit_ms;   /* still changing after this time: failure */
    int64_t heap_jitter; /* a difference of up to this many bytes is no change */
    bool whole; /* mappings and children must be counted. If they are not, the server
                   gets `patience_ms`, too */
    bool ignore_heap; /* other threads allocate all the time */
};

/* A rule without limits: any amounts that do not change are accepted. */
struct settle_rule settle_rule_any(const struct server *server);

/* Waits. Returns 0 and the last sample, -ETIMEDOUT if the amounts never stopped
 * changing, or the error of a sample. */
int settle(struct server *server, const struct settle_rule *rule,
           struct sample *ret_sample, struct failure *failure);

/* Whether all amounts of the sample are between at_least and at_most, and counted where
 * the rule says so. */
bool settle_arrived(const struct settle_rule *rule, const struct sample *sample);

/* Whether mappings and children are counted, which a server may say it cannot now. */
bool settle_is_whole(const struct sample *sample);

#endif
