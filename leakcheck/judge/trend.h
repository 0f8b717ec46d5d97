/*
 * Whether an amount really grows from round to round, when it does not grow in every
 * one: a leak in one call of twenty, among noise, caches that fill, and single steps.
 *
 * The test is that of Mann and Kendall: of all pairs of samples, how many rise and how
 * many fall? It needs no assumption about how large the noise is. The slope is Theil
 * and Sen's: the median of the slopes between all pairs, which a few outliers cannot
 * move. Sources: Mann 1945, Kendall 1975, Sen 1968 (with ties and confidence limits).
 */
#ifndef LEAKCHECK_JUDGE_TREND_H
#define LEAKCHECK_JUDGE_TREND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "leakcheck/judge/fit.h"

#define TREND_ROUNDS_MIN 12 /* fewer rounds prove no trend */
#define TREND_SAMPLES_MAX (2 * ROUNDS_MAX + 1)

enum trend_answer {
    TREND_UNCLEAR, /* neither of the others is proved */
    TREND_GROWS,   /* by more than the limit, in both halves, and does not slow down */
    TREND_HOLDS,   /* within the limit, or it has stopped */
};

struct trend {
    enum trend_answer answer;
    double slope;     /* growth per call */
    double chance;    /* how probable so much growth is if there is no leak: 0 to 1 */
    size_t steps;     /* rounds that rose to a new height, by more than noise does */
    size_t last_step; /* the last of them, counted from 1; 0: none */
};

/* Judges `count` samples: `values[i]` was sampled after `calls[i]` calls, and `calls`
 * increases. `limit` is how much one call may leave behind; `bytes`: it is a limit in
 * bytes, so that growth within it is allowed. With fewer samples than TREND_ROUNDS_MIN
 * + 1, or more than TREND_SAMPLES_MAX, the answer is TREND_UNCLEAR. */
struct trend trend_judge(const int64_t *calls, const int64_t *values, size_t count,
                         int64_t limit, bool bytes);

#endif
