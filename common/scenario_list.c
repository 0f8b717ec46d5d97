/*
 * The scenarios of the two servers. Other servers, such as that of an exercise, link a
 * list of their own instead.
 */
#include "scenario.h"

#define SCENARIO_POINTER(name) &name##_scenario,
const struct scenario *const scenarios[] = {SCENARIO_LIST(SCENARIO_POINTER)};
const size_t scenario_count = sizeof(scenarios) / sizeof(scenarios[0]);
