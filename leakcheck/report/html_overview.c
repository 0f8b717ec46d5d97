/*
 * The top of the report: the summary, and one row for each pair.
 */
#include "leakcheck/report/html.h"

#include <string.h>
#include <time.h>

#include "leakcheck/report/text.h"

/* "<strong>29 of 29</strong> answers right (2 of them finished on fixed alone)" */
static void answers_write(struct buffer *page, const struct judge_summary *summary)
{
    size_t alone = summary->answers[ANSWERS_LEAKY_UNFINISHED];
    size_t missing = summary->answers[ANSWERS_NOT_MEASURED];
    if (missing == summary->judged) {
        buffer_text(page, "<span>answers not measured</span>");
        return;
    }
    buffer_printf(page, "<span><strong>%zu of %zu</strong> answers right",
                  summary->answers[ANSWERS_EQUAL] + alone, summary->judged);
    if (alone > 0) {
        buffer_printf(page, " (%zu of them finished on fixed alone)", alone);
    }
    if (missing > 0) {
        buffer_printf(page, ", %zu not measured", missing);
    }
    buffer_text(page, "</span>");
}

static void summary_write(struct buffer *page, const struct judgement *judgement)
{
    struct judge_summary summary = judge_summarize(judgement);
    const struct judge_order *order = &judgement->order;
    char date[64] = "";
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc) != NULL) {
        strftime(date, sizeof(date), "%Y-%m-%d %H:%M UTC", &utc);
    }
    buffer_printf(
        page,
        "<header id=\"_top\"><h1>Leak report</h1><p "
        "class=\"figures\"><span><strong>%zu "
        "of %zu</strong> leaks shown</span><span><strong>%zu of %zu</strong> fixes "
        "hold</span>",
        summary.shown, summary.judged, summary.holding, summary.judged);
    if (summary.unmeasured > 0) {
        buffer_printf(page, "<span><strong>%zu</strong> not measured</span>",
                      summary.unmeasured);
    }
    answers_write(page, &summary);
    buffer_printf(page, "<span><strong>%.1f s</strong> of measuring</span></p><p>",
                  (double)judgement->elapsed_ms / 1000);
    buffer_html(page, order->urls[0]);
    buffer_text(page, " against ");
    buffer_html(page, order->urls[1]);
    buffer_printf(page,
                  ", %s. Each scenario is called in %u rounds of up to %u call%s; what "
                  "one call adds is the slope over the rounds.</p>",
                  date, order->rounds, order->calls, order->calls == 1 ? "" : "s");
    buffer_text(
        page,
        "<p>Guess first: read a story, look at its chart, and say what stays "
        "behind and why. Then open what the profile blames, and last the cause "
        "and the fix. A profile knows where memory was allocated, where a descriptor, "
        "a timer or a thread was made, and where a thread waits; the bug is often "
        "elsewhere: in the code that keeps "
        "the memory, or in the code that never ends the wait.</p></header>");
}

/* One figure. A narrow page shows the name of its column with it. */
static void figure_write(struct buffer *page, const char *label,
                         const struct pair *pair, double amount)
{
    buffer_printf(page, "<td data-label=\"%s\">", label);
    html_growth(page, pair, pair->resource, amount, false);
    buffer_text(page, "</td>");
}

static void row_write(struct buffer *page, const struct pair *pair)
{
    enum resource resource = pair->resource;
    buffer_text(page, "<tr><th scope=\"row\"><a href=\"#");
    buffer_html(page, pair->info->name);
    buffer_text(page, "\">");
    buffer_html(page, pair->info->name);
    buffer_text(page, "</a></th><td class=\"verdict\">");
    html_badge(page, pair);
    buffer_printf(page, "</td><td data-label=\"Grows\">%s</td>",
                  resource_name(resource));
    figure_write(page, "Leaky", pair, verdict_measured(pair->leaky, resource));
    figure_write(page, "Fixed", pair, verdict_remaining(pair->fixed, resource));
    figure_write(page, "Declared", pair, verdict_declared(pair->leaky, resource));
    buffer_text(page, "</tr>");
}

/* The rows, with a heading above each family. */
static void rows_write(struct buffer *page, const struct judgement *judgement,
                       const size_t *order, size_t count)
{
    const char *family = NULL;
    for (size_t i = 0; i < count; i++) {
        struct pair pair = html_pair(judgement, order[i]);
        if (family == NULL || strcmp(family, pair.info->family) != 0) {
            family = pair.info->family;
            buffer_printf(page,
                          "%s<tbody><tr class=\"family\"><th colspan=\"6\" "
                          "scope=\"rowgroup\"><a href=\"#_family-%zu\">",
                          i == 0 ? "" : "</tbody>", order[i]);
            html_family(page, family);
            buffer_text(page, "</a></th></tr>");
        }
        row_write(page, &pair);
    }
    buffer_text(page, count == 0 ? "" : "</tbody>");
}

void html_overview(struct buffer *page, const struct judgement *judgement,
                   const size_t *order, size_t count)
{
    summary_write(page, judgement);
    buffer_text(page,
                "<section aria-labelledby=\"_overview\"><h2 id=\"_overview\">All pairs"
                "</h2><p class=\"note\">What one call adds; for a temporary leak, what "
                "it holds at its peak. Declared is what the scenario itself states."
                "</p><table><thead><tr><th scope=\"col\">Scenario</th>"
                "<th scope=\"col\">Verdict</th><th scope=\"col\">Grows</th>"
                "<th scope=\"col\">Leaky</th><th scope=\"col\">Fixed</th>"
                "<th scope=\"col\">Declared</th></tr></thead>");
    rows_write(page, judgement, order, count);
    buffer_text(page, "</table></section>");
}
