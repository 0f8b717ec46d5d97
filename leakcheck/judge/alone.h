/*
 * The judge of one half alone: a server of the lab whose scenarios are to keep nothing,
 * without its leaky half beside it. It measures and decides as it does for the fixed
 * half of a pair.
 */
#ifndef LEAKCHECK_JUDGE_ALONE_H
#define LEAKCHECK_JUDGE_ALONE_H

#include "leakcheck/judge/side.h"

/* Lives in memory that the caller owns; { 0 } is empty. */
struct alone {
    struct judge_order order;
    struct side side;
    int64_t elapsed_ms;
};

/* Judges the server at order->urls[ROLE_FIXED], whatever its name is. Returns 0, or
 * -errno if no verdict is possible. In both cases the caller calls alone_release. */
int alone_run(struct alone *alone, const struct judge_order *order,
              struct failure *failure);

/* How many scenarios were judged, how many of them keep nothing, and of how many that
 * is not known. */
struct alone_summary {
    size_t judged;
    size_t holding;
    size_t unmeasured;
    bool good; /* all hold */
    bool bad;  /* one leaks */
};
struct alone_summary alone_summarize(const struct alone *alone);

/* Closes the connection and frees everything. */
void alone_release(struct alone *alone);

#endif
