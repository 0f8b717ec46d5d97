/*
 * The statistics: how fast a resource grows from round to round, and whether the growth
 * is real.
 */
#ifndef LEAKCHECK_JUDGE_FIT_H
#define LEAKCHECK_JUDGE_FIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROUNDS_MAX 100

struct fit {
    double slope;          /* growth per call, by least squares over the rounds */
    double slope_error;    /* its standard error; infinite with two samples */
    int64_t change;        /* last sample minus first */
    bool grew_every_round; /* true for a leak, not for noise or a cache that fills */
};

/* Fits `count` samples: `values[i]` was sampled after `calls[i]` calls, and `calls`
 * increases. The first sample is the baseline. With fewer than two samples all results
 * are 0. */
struct fit fit_rounds(const int64_t *calls, const int64_t *values, size_t count);

/* value / declared; 1 if both are 0, infinite if only `declared` is 0. */
double ratio_of(double value, double declared);

#endif
