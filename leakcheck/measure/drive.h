/*
 * Driving: the calls that are to leave something behind.
 */
#ifndef LEAKCHECK_MEASURE_DRIVE_H
#define LEAKCHECK_MEASURE_DRIVE_H

#include "leakcheck/measure/sample.h"

/* Calls /leak/<scenario> once, with an id of its own, and waits for the reply. `bytes`
 * (UNKNOWN: none) is the main size; *ret_declared is what the server says it left. */
int drive_scenario(struct server *server, const struct scenario_info *info,
                   int64_t bytes, struct resources *ret_declared,
                   struct failure *failure);

/* Calls it once and holds it at its peak, on a connection of its own, while `server` is
 * sampled: *ret_peak is what the call held at most, above what was there before.
 * Returns 0 or -errno; a call that cannot be sampled while it lasts is an error. */
int drive_held(struct server *server, struct http *own,
               const struct scenario_info *info, struct resources *ret_peak,
               struct failure *failure);

#endif
