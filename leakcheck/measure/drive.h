/*
 * Drives a server: makes the calls to /leak that may leave something behind.
 */
#ifndef LEAKCHECK_MEASURE_DRIVE_H
#define LEAKCHECK_MEASURE_DRIVE_H

#include "leakcheck/measure/sample.h"

/* Calls /leak/<scenario> once, with a new id, and waits for the reply. `bytes` is the
 * main size (UNKNOWN: not sent). *ret_declared becomes what the call leaves according
 * to the reply. Returns 0 or -errno. */
int drive_scenario(struct server *server, const struct scenario_info *info,
                   int64_t bytes, struct resources *ret_declared,
                   struct failure *failure);

/* Calls the scenario once on the connection `own`, with a hold time, and samples
 * `server` meanwhile. *ret_peak becomes the most that the call held, above the amounts
 * before it. Returns 0 or -errno; it is an error if no sample was taken during the
 * call. */
int drive_held(struct server *server, struct http *own,
               const struct scenario_info *info, struct resources *ret_peak,
               struct failure *failure);

#endif
