/*
 * What a /leak request asks for: each of its scenarios once, in turn, and that so many
 * times.
 */
#ifndef LAB_SERVER_LEAK_PLAN_H
#define LAB_SERVER_LEAK_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "scenario.h"
#include "server/guard.h"
#include "server/lab.h"

#define LEAK_TIME_MAX_MS 90000 /* after that, a request begins no further call */

/* One scenario of a request, and the main size of its calls. */
struct step {
    const struct scenario *scenario;
    size_t bytes;
};

/* What a request asks for: each step once, and that `count` times. */
struct plan {
    const char *name; /* of the scenario or family, or "combined" */
    const char *id;
    unsigned count;
    unsigned hold_ms;
    bool is_scenario; /* it is one scenario, not a family or the combined request */
    size_t step_count;
    struct step *steps; /* room for scenario_count */
};

/* What the plan may need at most, to be reserved before it runs. */
struct guard_need leak_plan_need(const struct plan *plan);

/* What the whole plan leaves on the leaky server. The steps have main sizes of their
 * own, so the sum of their heap is not in blocks but in `extra_bytes`. */
struct scenario_amount leak_plan_declared(const struct plan *plan);

/* Runs the plan, which began at `start_ms` (clock_now_ms). Returns 0, or -errno with
 * the step that failed and the number of complete rounds. */
int leak_plan_run(struct lab *lab, const struct plan *plan, int64_t start_ms,
                  const struct step **ret_step, unsigned *ret_done);

#endif
