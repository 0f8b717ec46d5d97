/*
 * The plan of a /leak request: a list of steps (one scenario each), executed in order,
 * and the whole list `count` times.
 */
#ifndef LAB_SERVER_LEAK_PLAN_H
#define LAB_SERVER_LEAK_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "scenario.h"
#include "server/guard.h"
#include "server/lab.h"

#define LEAK_TIME_MAX_MS 90000 /* after this time, a request begins no further call */

/* One scenario of a request, the main size of its calls, and what they came to. */
struct step {
    const struct scenario *scenario;
    size_t bytes;
    struct scenario_answer answer; /* of the first call */
    unsigned differs;              /* a call whose answer differs; 0: none */
    struct scenario_answer other;  /* and that answer */
};

/* Each step once, and the whole list `count` times. */
struct plan {
    const char *name; /* of the scenario or family, or "combined" */
    const char *id;
    unsigned count;
    unsigned hold_ms;
    bool is_scenario; /* it is one scenario, not a family or the combined request */
    size_t step_count;
    struct step *steps; /* room for scenario_count */
};

/* The most that the plan may need; it is reserved before the plan runs. */
struct guard_need leak_plan_need(const struct plan *plan);

/* What the whole plan leaves on the leaky server. Each step has its own main size, so
 * the sum of their heap is in `extra_bytes`, not in blocks. */
struct scenario_amount leak_plan_declared(const struct plan *plan);

/* The answer of a step that has run: TEXT for one call, "N x TEXT" for N calls that all
 * came to the same, otherwise which call differs. False if a call has not finished. */
bool leak_plan_answer(const struct plan *plan, const struct step *step, char *text,
                      size_t size);

/* Runs the plan, which began at `start_ms` (clock_now_ms). Returns 0, or -errno with
 * the step that failed and the number of complete rounds. */
int leak_plan_run(struct lab *lab, struct plan *plan, int64_t start_ms,
                  const struct step **ret_step, unsigned *ret_done);

#endif
