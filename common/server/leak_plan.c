/*
 * Adds up the needs of a plan, and runs its calls one after another.
 */
#include "server/leak_plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/size.h"

struct scenario_amount leak_plan_declared(const struct plan *plan)
{
    struct scenario_amount sum = {0};
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct scenario_amount *leaves = &plan->steps[i].scenario->leaves;
        sum.extra_bytes += scenario_heap_bytes(leaves, plan->steps[i].bytes);
        sum.threads += leaves->threads;
        sum.fds += leaves->fds;
        sum.timers += leaves->timers;
    }
    return sum;
}

/* What one call needs until it ends, in addition to what it leaves: what it holds at
 * its peak, and what either half uses while it works. The latter is at most two blocks
 * of the main size on the heap. Or it is the blocks on the stack, if the scenario has
 * any; they count towards the heap's ceiling. The normal stack of a thread, about ten
 * KiB resident, is not counted, because the number of threads has its own ceiling. */
static struct guard_need need_of_call(const struct step *step)
{
    const struct scenario *scenario = step->scenario;
    const struct scenario_amount *holds = &scenario->holds;
    size_t bytes = step->bytes;
    size_t main_sizes = holds->stack_blocks > 0 ? holds->stack_blocks : 2;
    return (struct guard_need){
        .heap_bytes = scenario_heap_bytes(holds, bytes) + main_sizes * bytes,
        .threads = holds->threads + scenario->working_threads,
        .fds = holds->fds,
        .timers = holds->timers,
    };
}

static void keep_larger(struct guard_need *need, const struct guard_need *other)
{
    if (other->heap_bytes > need->heap_bytes) {
        need->heap_bytes = other->heap_bytes;
    }
    if (other->threads > need->threads) {
        need->threads = other->threads;
    }
    if (other->fds > need->fds) {
        need->fds = other->fds;
    }
    if (other->timers > need->timers) {
        need->timers = other->timers;
    }
}

/* What the calls leave is multiplied by their number. What a call needs only until it
 * ends is counted once, because the calls run one after another. Each half also uses a
 * few buffers and, if it opens descriptors, a few more of them. */
struct guard_need leak_plan_need(const struct plan *plan)
{
    struct guard_need need = {.heap_bytes = MIB};
    struct guard_need working = {0};
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct step *step = &plan->steps[i];
        const struct scenario_amount *leaves = &step->scenario->leaves;
        need.heap_bytes += plan->count * scenario_heap_bytes_most(leaves, step->bytes);
        need.threads += plan->count * leaves->threads;
        need.fds += plan->count * leaves->fds;
        need.timers += plan->count * leaves->timers;
        struct guard_need call = need_of_call(step);
        keep_larger(&working, &call);
    }
    need.heap_bytes += working.heap_bytes;
    need.threads += working.threads;
    need.fds += working.fds;
    need.timers += working.timers;
    need.fds += need.fds > 0 ? 8 : 0;
    return need;
}

/* Returns 0 if the next call may begin, or -errno. A client that wanted ten thousand
 * slow calls and has gone must not keep a worker for ever. */
static int check_time(struct lab *lab, int64_t start_ms)
{
    int error = context_error(&lab->running);
    if (error == 0 && clock_now_ms() - start_ms > LEAK_TIME_MAX_MS) {
        error = -ETIME;
    }
    return error;
}

/* Keeps the answer of the step's call number `round`, counted from 0. Of those that
 * differ from the first, it keeps an unfinished one rather than another text. */
static void keep_answer(struct step *step, const struct scenario_answer *answer,
                        unsigned round)
{
    bool unfinished = answer->text[0] == '\0';
    if (round == 0) {
        step->answer = *answer;
        step->differs = 0;
    } else if (strcmp(answer->text, step->answer.text) != 0 &&
               (step->differs == 0 || unfinished)) {
        step->other = *answer;
        step->differs = round + 1;
    }
}

bool leak_plan_answer(const struct plan *plan, const struct step *step, char *text,
                      size_t size)
{
    const char *first = step->answer.text;
    const char *other = step->other.text;
    if (first[0] == '\0' || (step->differs > 0 && other[0] == '\0')) {
        return false;
    }
    if (step->differs > 0) {
        snprintf(text, size, "%s, but call %u: %s", first, step->differs, other);
    } else if (plan->count > 1) {
        snprintf(text, size, "%u x %s", plan->count, first);
    } else {
        snprintf(text, size, "%s", first);
    }
    return true;
}

int leak_plan_run(struct lab *lab, struct plan *plan, int64_t start_ms,
                  const struct step **ret_step, unsigned *ret_done)
{
    for (unsigned round = 0; round < plan->count; round++) {
        for (size_t i = 0; i < plan->step_count; i++) {
            struct step *step = &plan->steps[i];
            struct scenario_answer answer = {0};
            struct scenario_request call = {
                .id = plan->id,
                .bytes = step->bytes,
                .hold_ms = plan->hold_ms,
                .upstream_url = lab->settings->upstream_url,
                .directory = lab->settings->directory,
                .context = &lab->running,
            };
            int error = check_time(lab, start_ms);
            if (error == 0) {
                error = step->scenario->run(&call, &answer);
            }
            if (error != 0) {
                *ret_step = step;
                *ret_done = round;
                return error;
            }
            keep_answer(step, &answer, round);
            atomic_fetch_add(&lab->calls[scenario_index(step->scenario)], 1);
        }
    }
    return 0;
}
