/*
 * One side, as judge/pair.c has two.
 */
#include "leakcheck/judge/alone.h"

#include "base/clock.h"

int alone_run(struct alone *alone, const struct judge_order *order,
              struct failure *failure)
{
    int64_t start = clock_now_ms();
    int64_t deadline_ms = start + (int64_t)order->timeout_secs * 1000;
    atomic_bool stop = false;
    *alone = (struct alone){.order = *order};
    struct side *side = &alone->side;
    alone->order.alone = true;
    int error = side_open(side, ROLE_FIXED, &alone->order, deadline_ms, failure);
    /* The report shows this URL, which has no user and password. */
    alone->order.urls[ROLE_FIXED] = side->server.http.base;
    if (error == 0) {
        side_judge(side, &stop);
        error = side->error;
        if (error < 0) {
            *failure = side->failure;
        }
    }
    alone->elapsed_ms = clock_now_ms() - start;
    return error;
}

struct alone_summary alone_summarize(const struct alone *alone)
{
    struct alone_summary summary = {0};
    const struct side *side = &alone->side;
    for (size_t i = 0; i < side->count; i++) {
        if (side->chosen[i]) {
            summary.judged++;
            summary.holding += side->findings[i].good;
            summary.unmeasured += side->findings[i].unmeasured;
        }
    }
    summary.good = summary.holding == summary.judged;
    summary.bad = summary.holding + summary.unmeasured < summary.judged;
    return summary;
}

void alone_release(struct alone *alone)
{
    side_release(&alone->side);
}
