/*
 * What every process with the probe says of itself in /status.
 */
#ifndef PROBE_PAGES_STATUS_H
#define PROBE_PAGES_STATUS_H

#include <cjson/cJSON.h>

#include "probe/http/site.h"

/* Adds name, version, pid, memory, threads, descriptors and timers to `json`; what a
 * program has besides, it adds itself. Returns 0; or -errno with nothing added, if the
 * process could not be counted. */
int probe_status_add(cJSON *json, const struct site *site);

#endif
