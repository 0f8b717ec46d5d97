#include "probe/recorder/poisson.h"

#include <string.h>

#define LN2 0.69314718055994530942

uint64_t probe_random(uint64_t *state)
{
    /* Source of the constants: Steele, Lea, Flood, "Fast splittable pseudorandom number
     * generators", 2014. */
    uint64_t mixed = *state += 0x9e3779b97f4a7c15U;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31);
}

/* The natural logarithm of a number from 2^-54 to 1: the exponent, and the series of
 * atanh for the rest, which is near 1. */
static double logarithm(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    double exponent = (double)(bits >> 52) - 1022;
    bits = (bits & ((UINT64_C(1) << 52) - 1)) | (UINT64_C(1022) << 52);
    memcpy(&value, &bits, sizeof(value)); /* from 0.5 to 1 */
    double ratio = (value - 0.75) / (value + 0.75);
    double square = ratio * ratio;
    double sum = 0;
    for (int odd = 19; odd >= 1; odd -= 2) {
        sum = sum * square + 1.0 / odd;
    }
    return exponent * LN2 - 0.28768207245178092744 + 2 * ratio * sum; /* log(0.75) */
}

/* 1 - exp(-x) for x >= 0, exact for small x too: the series for x / 1024, then the
 * probability for twice as much, ten times. */
static double one_minus_exp(double x)
{
    if (x > 40) {
        return 1;
    }
    double small = x / 1024;
    double missed = small * (1 - small / 2 * (1 - small / 3 * (1 - small / 4)));
    for (int i = 0; i < 10; i++) {
        missed = missed * (2 - missed);
    }
    return missed;
}

uint64_t probe_poisson_gap(uint64_t *state, size_t period)
{
    /* From 2^-53 to 1: never 0. */
    double uniform = (double)((probe_random(state) >> 11) + 1) * 0x1p-53;
    return (uint64_t)(-logarithm(uniform) * (double)period);
}

double probe_poisson_weight(uint64_t bytes, size_t period)
{
    double probability = one_minus_exp((double)bytes / (double)period);
    return probability > 0 ? 1 / probability : 1;
}
