/*
 * Fits a straight line by least squares. The distances of the values from the line give
 * the error of its slope.
 */
#include "leakcheck/judge/fit.h"

#include <math.h>

struct fit fit_rounds(const int64_t *calls, const int64_t *values, size_t count)
{
    struct fit fit = {0};
    if (count < 2) {
        return fit;
    }
    double mean_x = 0;
    double mean_y = 0;
    for (size_t i = 0; i < count; i++) {
        /* Use differences from the first sample, so that large values keep their
         * precision. */
        mean_x += (double)(calls[i] - calls[0]) / (double)count;
        mean_y += (double)(values[i] - values[0]) / (double)count;
    }
    double xy = 0;
    double xx = 0;
    double yy = 0;
    fit.grew_every_round = true;
    for (size_t i = 0; i < count; i++) {
        double x = (double)(calls[i] - calls[0]) - mean_x;
        double y = (double)(values[i] - values[0]) - mean_y;
        xy += x * y;
        xx += x * x;
        yy += y * y;
        if (i > 0 && values[i] <= values[i - 1]) {
            fit.grew_every_round = false;
        }
    }
    fit.slope = xx > 0 ? xy / xx : 0;
    /* The remaining distances from the line are noise. */
    double noise = fmax(yy - fit.slope * xy, 0);
    fit.slope_error =
        count > 2 && xx > 0 ? sqrt(noise / (double)(count - 2) / xx) : INFINITY;
    fit.change = values[count - 1] - values[0];
    return fit;
}

double ratio_of(double value, double declared)
{
    if (declared == 0) {
        return value == 0 ? 1 : INFINITY;
    }
    return value / declared;
}
