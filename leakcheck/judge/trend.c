/*
 * A significant trend alone proves no leak: a cache that fills has one, and so has a
 * single step. So growth must also go on in the later half, in several steps, and no
 * slower than before. And "holds" must be shown, too: what is not clear is left open.
 */
#include "leakcheck/judge/trend.h"

#include <math.h>
#include <stdlib.h>

#include "base/amount.h"

#define CHANCE_WHOLE 0.001 /* of a false alarm by noise, over all rounds */
#define CHANCE_LATER 0.05  /* the same, in the later half */
#define CHANCE_NONE 0.1    /* above this there is no sign of a trend */
#define BOUND_ERRORS 1.645 /* standard errors up to the bound: 95 % are below it */
#define COUNT_SLOPE 0.05   /* one call of twenty: a noisy count must rule it out */
#define STEPS_MIN 3        /* one step, or two, may be a table that doubles */
#define STEPS_LATER_MIN 2
#define SLOWER_MOST 0.5  /* growth in the later half, compared with the earlier one */
#define SILENCE_LUCK 0.1 /* of a leak that only looks as if it had stopped */

/* Some samples in a row. */
struct series {
    const int64_t *calls;
    const int64_t *values;
    size_t count;
};

/* What Mann-Kendall and Theil-Sen say about them. */
struct kendall {
    double chance;       /* of so much growth above the limit without a trend */
    double chance_plain; /* the same, if no sample resembles its neighbour */
    double slope;
    double slope_most; /* upper bound of the slope */
};

static int double_compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Sorts the numbers, and returns their median. */
static double median_of(double *numbers, size_t count)
{
    qsort(numbers, count, sizeof(*numbers), double_compare);
    size_t middle = count / 2;
    return count % 2 == 1 ? numbers[middle]
                          : (numbers[middle - 1] + numbers[middle]) / 2;
}

static struct series series_part(struct series all, size_t first, size_t count)
{
    return (struct series){all.calls + first, all.values + first, count};
}

/* The value of a sample, less what the limit allows up to there. */
static double excess_at(struct series series, size_t at, double limit)
{
    return (double)(series.values[at] - series.values[0]) -
           limit * (double)(series.calls[at] - series.calls[0]);
}

/* Kendall's S: how many pairs rise by more than the limit, minus how many do not. */
static double pairs_sum(struct series series, double limit)
{
    double sum = 0;
    for (size_t i = 0; i < series.count; i++) {
        for (size_t j = i + 1; j < series.count; j++) {
            double rise = excess_at(series, j, limit) - excess_at(series, i, limit);
            sum += (rise > 0) - (rise < 0);
        }
    }
    return sum;
}

/* The variance of S without a trend. Equal values make it smaller. */
static double pairs_variance(struct series series, double limit)
{
    double sorted[TREND_SAMPLES_MAX] = {0};
    double n = (double)series.count;
    double variance = n * (n - 1) * (2 * n + 5);
    for (size_t i = 0; i < series.count; i++) {
        sorted[i] = excess_at(series, i, limit);
    }
    qsort(sorted, series.count, sizeof(*sorted), double_compare);
    for (size_t i = 0, next; i < series.count; i = next) {
        for (next = i; next < series.count && sorted[next] <= sorted[i];) {
            next++;
        }
        double ties = (double)(next - i);
        variance -= ties * (ties - 1) * (2 * ties + 5);
    }
    return variance / 18;
}

/* Neighbours that resemble each other (a random walk, a curve) say less than as many
 * samples of their own: by how much the variance grows for that. Looks at the distances
 * from a line with this slope. */
static double likeness_factor(struct series series, double slope)
{
    double mean = 0;
    double squares = 0;
    double products = 0;
    double before = 0;
    for (size_t i = 0; i < series.count; i++) {
        mean += excess_at(series, i, slope) / (double)series.count;
    }
    for (size_t i = 0; i < series.count; i++) {
        double distance = excess_at(series, i, slope) - mean;
        squares += distance * distance;
        products += distance * before;
        before = distance;
    }
    double likeness = squares > 0 ? products / squares : 0;
    return likeness > 0 ? (1 + likeness) / (1 - likeness) : 1;
}

/* How far the amount has fallen at most below an earlier one: the size of noise. */
static int64_t fall_of(struct series series)
{
    int64_t high = series.values[0];
    int64_t fall = 0;
    for (size_t i = 1; i < series.count; i++) {
        high = series.values[i] > high ? series.values[i] : high;
        fall = high - series.values[i] > fall ? high - series.values[i] : fall;
    }
    return fall;
}

/* Rises up to this are no steps: noise is so large, or the limit allows as much for the
 * calls of one round. Growth above the limit has larger ones. */
static int64_t step_least(struct series all, struct series later, int64_t limit)
{
    int64_t fall = fall_of(later);
    int64_t allowed = amount_multiply(limit, all.calls[1] - all.calls[0]);
    return allowed > fall ? allowed : fall;
}

/* How probable it is that S is so large without a trend. */
static double chance_of(double sum, double variance)
{
    return sum > 0 && variance > 0 ? erfc((sum - 1) / sqrt(2 * variance)) / 2 : 1;
}

static struct kendall kendall_test(struct series series, double limit)
{
    double slopes[TREND_SAMPLES_MAX * (TREND_SAMPLES_MAX - 1) / 2] = {0};
    size_t count = 0;
    for (size_t i = 0; i < series.count; i++) {
        for (size_t j = i + 1; j < series.count; j++) {
            slopes[count++] = (double)(series.values[j] - series.values[i]) /
                              (double)(series.calls[j] - series.calls[i]);
        }
    }
    struct kendall kendall = {.slope = median_of(slopes, count)};
    /* What never falls is no random walk: its growth is kept, and nothing else. */
    double factor = fall_of(series) == 0 ? 1 : likeness_factor(series, kendall.slope);
    double variance = pairs_variance(series, limit);
    double sum = pairs_sum(series, limit);
    kendall.chance = chance_of(sum, variance * factor);
    kendall.chance_plain = chance_of(sum, variance);
    /* The bound: so many places above the median as chance moves S. */
    double spread = sqrt(pairs_variance(series, 0) * factor);
    double place = ((double)count + BOUND_ERRORS * spread) / 2;
    size_t most = place >= (double)count - 1 ? count - 1 : (size_t)ceil(place);
    kendall.slope_most = slopes[most];
    return kendall;
}

/* Counts the rounds from `first` on that rose above all before them by more than
 * `noise`. */
static size_t steps_count(struct series series, size_t first, int64_t noise,
                          size_t *ret_last)
{
    int64_t high = series.values[0];
    size_t steps = 0;
    *ret_last = 0;
    for (size_t i = 1; i < series.count; i++) {
        if (series.values[i] - high > noise) {
            steps += i >= first;
            *ret_last = i;
        }
        high = series.values[i] > high ? series.values[i] : high;
    }
    return steps;
}

/* How much higher the last quarter is than the first, by their medians. Without noise
 * every rise counts: from the first sample to the last. */
static double level_change(struct series series, double *ret_calls)
{
    size_t end = series.count - 1;
    size_t quarter = series.count / 4;
    if (fall_of(series) == 0) {
        *ret_calls = (double)(series.calls[end] - series.calls[0]);
        return (double)(series.values[end] - series.values[0]);
    }
    double first[TREND_SAMPLES_MAX] = {0};
    double last[TREND_SAMPLES_MAX] = {0};
    for (size_t i = 0; i < quarter; i++) {
        first[i] = (double)series.values[i];
        last[i] = (double)series.values[end - i];
    }
    *ret_calls = (double)(series.calls[series.count - quarter] - series.calls[0]);
    return median_of(last, quarter) - median_of(first, quarter);
}

/* Whether the samples show no growth above the limit: the slope is below it even at its
 * upper bound, and no step stands out. For a count that comes and goes that is too much
 * to ask: there, nothing may point up, it must have fallen as far as it has risen, and
 * a leak in one call of twenty must be ruled out. */
static bool is_within(struct series series, int64_t limit, bool bytes)
{
    struct kendall kendall = kendall_test(series, (double)limit);
    double calls;
    double change = level_change(series, &calls);
    if (kendall.slope_most <= (double)limit && change <= (double)limit * calls) {
        return true;
    }
    return !bytes && kendall.chance_plain > CHANCE_NONE &&
           kendall.slope_most <= (double)limit + COUNT_SLOPE &&
           change <= (double)fall_of(series);
}

/* Whether growth has stopped in the earlier half. A leak that comes by chance could
 * look the same: that all of its `steps` lie in the first `last` of the rounds has the
 * probability (last / rounds) ^ steps. This must be small. */
static bool has_stopped(struct series all, const struct trend *trend, int64_t limit,
                        bool bytes)
{
    size_t rounds = all.count - 1;
    size_t half = all.count / 2;
    struct series later = series_part(all, half, all.count - half);
    if (trend->steps == 0 || trend->last_step > rounds / 2) {
        return false;
    }
    double luck = pow((double)trend->last_step / (double)rounds, (double)trend->steps);
    return luck <= SILENCE_LUCK && is_within(later, limit, bytes);
}

/* Whether growth gets slower, as a cache does that fills: whether its amount in each
 * round has a trend downwards. Where it is the same in all rounds but the first, there
 * is none: the first calls also make what all later ones use. */
static bool slows_down(struct series series)
{
    int64_t less[TREND_SAMPLES_MAX];
    size_t last = series.count - 2;
    bool even = true;
    for (size_t i = 0; i <= last; i++) {
        less[i] = series.values[i] - series.values[i + 1];
    }
    for (size_t i = 1; i < last; i++) {
        even = even && less[i] == less[last];
    }
    struct series rounds = {series.calls + 1, less, series.count - 1};
    return !even && kendall_test(rounds, 0).chance_plain <= CHANCE_NONE;
}

/* Whether growth goes on as a leak does: a significant trend, in both halves, in
 * several steps, and in the later half not much slower than in the earlier one. */
static bool goes_on(struct series all, const struct kendall *whole, int64_t limit)
{
    size_t half = all.count / 2;
    size_t last;
    struct series later = series_part(all, half, all.count - half);
    struct kendall after = kendall_test(later, (double)limit);
    double slope_before = fit_rounds(all.calls, all.values, half + 1).slope;
    double slope_after = fit_rounds(later.calls, later.values, later.count).slope;
    return whole->chance <= CHANCE_WHOLE && after.chance <= CHANCE_LATER &&
           whole->slope > (double)limit && slope_after > (double)limit &&
           slope_after >= SLOWER_MOST * slope_before && !slows_down(all) &&
           steps_count(all, 1, 0, &last) >= STEPS_MIN &&
           steps_count(all, half + 1, 0, &last) >= STEPS_LATER_MIN;
}

struct trend trend_judge(const int64_t *calls, const int64_t *values, size_t count,
                         int64_t limit, bool bytes)
{
    struct series all = {calls, values, count};
    struct trend trend = {.answer = TREND_UNCLEAR, .chance = 1};
    if (count < TREND_ROUNDS_MIN + 1 || count > TREND_SAMPLES_MAX) {
        return trend;
    }
    struct kendall whole = kendall_test(all, (double)limit);
    struct series later = series_part(all, count / 2, count - count / 2);
    trend.slope = whole.slope;
    trend.chance = whole.chance;
    trend.steps = steps_count(all, 1, step_least(all, later, limit), &trend.last_step);
    if (goes_on(all, &whole, limit)) {
        trend.answer = TREND_GROWS;
    } else if (is_within(all, limit, bytes) || has_stopped(all, &trend, limit, bytes)) {
        trend.answer = TREND_HOLDS;
    }
    return trend;
}
