/*
 * The parts of the JSON reports that say who is to blame.
 */
#ifndef LEAKCHECK_REPORT_JSON_BLAME_H
#define LEAKCHECK_REPORT_JSON_BLAME_H

#include <cjson/cJSON.h>

#include "leakcheck/judge/held.h"
#include "leakcheck/judge/proof.h"
#include "leakcheck/measure/resource.h"

/* The resources' names: "heap", "threads", "fds", ... */
extern const char *const json_resource_words[];

/* Adds the blamed line as an object with that name; null if there is none. `held` says
 * who holds what it allocated; NULL where nothing is allocated. */
void json_blame_add(cJSON *object, const char *name, const struct blame *blame,
                    const struct held *held);

/* Adds why nobody is blamed, as NAME_reason. */
void json_reason_add(cJSON *object, const char *name, const char *reason);

/* Adds `proved`: why the threads never go on; null if that is not proved, with
 * `proved_reason` if it was asked. */
void json_proof_add(cJSON *object, const struct proof *proof);

#endif
