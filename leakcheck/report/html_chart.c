/*
 * One chart: how a resource changes from round to round, on both servers. The curves
 * differ in shape too, for readers who cannot see the colours.
 */
#include "leakcheck/report/html.h"
#include "leakcheck/report/text.h"

#define WIDTH 360
#define HEIGHT 200
#define LEFT 66
#define RIGHT 12
#define TOP 30
#define BOTTOM 42

/* One curve: how far each sample is above the baseline. */
struct curve {
    double values[ROUNDS_MAX + 1];
    double calls[ROUNDS_MAX + 1];
    size_t count;
};

static struct curve curve_make(const struct trial *trial, enum resource resource)
{
    struct curve curve = {.count = trial->sample_count};
    bool peaks = trial->info->kind == KIND_TEMPORARY;
    for (size_t i = 0; i < curve.count; i++) {
        const struct sample *sample = &trial->samples[i];
        curve.calls[i] = (double)sample->calls;
        curve.values[i] = (double)(sample->now.amount[resource] -
                                   trial->samples[0].now.amount[resource]);
        if (peaks && i > 0 && sample->peak.amount[resource] == UNKNOWN) {
            curve.count = i;
        } else if (peaks) {
            curve.values[i] = i == 0 ? 0 : (double)sample->peak.amount[resource];
        }
    }
    return curve;
}

static double curve_most(const struct curve *curve, const double *values, double least)
{
    for (size_t i = 0; i < curve->count; i++) {
        least = values[i] > least ? values[i] : least;
    }
    return least;
}

/* The scales of both axes. */
struct scale {
    double calls;
    double amount;
};

static double scale_x(const struct scale *scale, double calls)
{
    return LEFT + calls / scale->calls * (WIDTH - LEFT - RIGHT);
}

static double scale_y(const struct scale *scale, double amount)
{
    amount = amount < 0 ? 0 : amount;
    return HEIGHT - BOTTOM - amount / scale->amount * (HEIGHT - TOP - BOTTOM);
}

static void curve_draw(struct buffer *page, const struct curve *curve,
                       const struct scale *scale, const char *name, bool round)
{
    buffer_printf(page, "<polyline class=\"curve %s\" points=\"", name);
    for (size_t i = 0; i < curve->count; i++) {
        buffer_printf(page, "%.1f,%.1f ", scale_x(scale, curve->calls[i]),
                      scale_y(scale, curve->values[i]));
    }
    buffer_text(page, "\"/>");
    for (size_t i = 0; i < curve->count; i++) {
        double x = scale_x(scale, curve->calls[i]);
        double y = scale_y(scale, curve->values[i]);
        if (round) {
            buffer_printf(page,
                          "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>",
                          name, x, y);
        } else {
            buffer_printf(page,
                          "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"10\" "
                          "height=\"10\"/>",
                          name, x - 5, y - 5);
        }
    }
}

static void axes_draw(struct buffer *page, const struct scale *scale,
                      enum resource resource)
{
    for (int i = 0; i <= 2; i++) {
        double amount = scale->amount * i / 2;
        double y = scale_y(scale, amount);
        buffer_printf(page,
                      "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" "
                      "y2=\"%.1f\"/><text x=\"%d\" y=\"%.1f\" "
                      "text-anchor=\"end\">%s</text>",
                      LEFT, WIDTH - RIGHT, y, y, LEFT - 6, y + 3.5,
                      text_amount(resource, amount).at);
    }
    buffer_printf(page,
                  "<text x=\"%d\" y=\"%d\">0</text><text x=\"%d\" y=\"%d\" "
                  "text-anchor=\"end\">%.0f call%s</text>",
                  LEFT, HEIGHT - BOTTOM + 18, WIDTH - RIGHT, HEIGHT - BOTTOM + 18,
                  scale->calls, scale->calls == 1 ? "" : "s");
}

static void legend_draw(struct buffer *page)
{
    buffer_printf(page,
                  "<circle class=\"leaky\" cx=\"%d\" cy=\"%d\" r=\"4\"/><text x=\"%d\" "
                  "y=\"%d\">leaky</text><rect class=\"fixed\" x=\"%d\" y=\"%d\" "
                  "width=\"7\" height=\"7\"/><text x=\"%d\" y=\"%d\">fixed</text>",
                  LEFT + 60, HEIGHT - 8, LEFT + 70, HEIGHT - 4, LEFT + 120, HEIGHT - 12,
                  LEFT + 134, HEIGHT - 4);
}

/* The last value, for those who cannot see the curve. */
static struct text curve_end(const struct curve *curve, enum resource resource)
{
    if (curve->count < 2) {
        return (struct text){"an unknown amount"};
    }
    double last = curve->values[curve->count - 1];
    return text_amount(resource, last < 0 ? 0 : last);
}

void html_chart(struct buffer *page, const struct trial *leaky,
                const struct trial *fixed)
{
    enum resource resource = verdict_resource(leaky->info);
    struct curve red = curve_make(leaky, resource);
    struct curve green = curve_make(fixed, resource);
    struct scale scale = {.calls = curve_most(&red, red.calls, 1),
                          .amount = curve_most(&red, red.values, 1)};
    scale.calls = curve_most(&green, green.calls, scale.calls);
    scale.amount = curve_most(&green, green.values, scale.amount);
    const char *what = leaky->info->kind == KIND_TEMPORARY ? "at the peak of each call"
                                                           : "above the baseline";
    buffer_printf(
        page,
        "<svg viewBox=\"0 0 %d %d\" role=\"img\"><title>%s %s: leaky comes to "
        "%s, fixed to %s</title><text x=\"4\" y=\"16\" class=\"strong\">%s "
        "%s</text>",
        WIDTH, HEIGHT, resource_name(resource), what, curve_end(&red, resource).at,
        curve_end(&green, resource).at, resource_name(resource), what);
    axes_draw(page, &scale, resource);
    curve_draw(page, &green, &scale, "fixed", false);
    curve_draw(page, &red, &scale, "leaky", true);
    legend_draw(page);
    buffer_text(page, "</svg>");
}
