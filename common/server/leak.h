/*
 * The scenarios over HTTP: the pages, the limits of their parameters, and how an amount
 * is written in a reply.
 */
#ifndef LAB_SERVER_LEAK_H
#define LAB_SERVER_LEAK_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "probe/http/route.h"
#include "scenario.h"

#define LEAK_COUNT_MAX 10000
#define LEAK_HOLD_MAX_MS 10000
#define LEAK_HOLD_ALL_MAX_MS 60000 /* for all calls of a request together */
#define LEAK_ID_DEFAULT "anonymous"

page leak_page_combined; /* /leak */
page leak_page_scenario; /* /leak/<name> */

/* Adds `amount`, multiplied by `count` calls with main size `bytes`, to `json`. */
void leak_add_amounts(cJSON *json, const struct scenario_amount *amount, size_t bytes,
                      unsigned count);

#endif
