/*
 * The statistics: how fast something grows from round to round, and whether it really
 * does.
 */
#ifndef LEAKCHECK_JUDGE_FIT_H
#define LEAKCHECK_JUDGE_FIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROUNDS_MAX 100

struct fit {
    double slope;          /* growth per call: least squares over the rounds */
    double slope_error;    /* its standard error; infinite with two samples */
    int64_t change;        /* last sample less first */
    bool grew_every_round; /* a leak does; a cache that fills, or noise, does not */
};

/* `calls[i]` calls had been made when `values[i]` was sampled; `calls` rises. The first
 * sample is the baseline. With fewer than two samples nothing has grown. */
struct fit fit_rounds(const int64_t *calls, const int64_t *values, size_t count);

/* value / declared; 1 if both are 0, and infinite if only `declared` is. */
double ratio_of(double value, double declared);

#endif
