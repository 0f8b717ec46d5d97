/*
 * The section of one scenario. It shows what can be seen from outside. What the profile
 * blames is folded, and so are the cause and the fix.
 */
#include "leakcheck/report/html.h"

#include <stdio.h>
#include <string.h>

#include "leakcheck/report/held_text.h"
#include "leakcheck/report/text.h"

static const char *when_of(const struct pair *pair)
{
    return pair->info->kind == KIND_TEMPORARY ? " at the peak of a call" : " a call";
}

/* "1.0 MiB a call, as declared" */
static void measured_write(struct buffer *page, const struct pair *pair,
                           enum resource resource)
{
    double measured = verdict_measured(pair->leaky, resource);
    double declared = verdict_declared(pair->leaky, resource);
    struct text said = text_amount(resource, declared);
    html_growth(page, pair, resource, measured, true);
    buffer_text(page, when_of(pair));
    if (strcmp(said.at, text_amount(resource, measured).at) == 0) {
        buffer_text(page, ", as declared");
    } else {
        buffer_printf(page, "; the scenario declares %s", said.at);
    }
}

static void remaining_write(struct buffer *page, const struct pair *pair,
                            enum resource resource)
{
    html_growth(page, pair, resource, verdict_remaining(pair->fixed, resource), true);
    buffer_text(page, when_of(pair));
}

static void fact_write(struct buffer *page, const char *name, const char *value)
{
    buffer_printf(page, "<dt>%s</dt>", name);
    html_element(page, "dd", value);
}

/* Whether what stays is lost. Who holds it gives the bug away, so that is folded. */
static const char *fate_of(const struct pair *pair)
{
    const struct held *held = &pair->leaky->held;
    if (held->measured && !held_is_lost(held)) {
        return "still held: something points to it";
    }
    if (held->measured) {
        return held_text_is_all(held)
                   ? "lost: nothing points to it any more"
                   : "lost, for the largest part: nothing points to it any more";
    }
    if (pair->info->kind != KIND_PERMANENT) {
        return "neither: nothing stays";
    }
    return pair->leaky->heap.growth > 0 ? "not measured" : "no memory of the heap";
}

/* What nothing is declared of, but grows with the rest: a thread takes mappings. */
static void beside_write(struct buffer *page, const struct pair *pair)
{
    static const enum resource beside[] = {RESOURCE_MAPPINGS, RESOURCE_CHILDREN};
    for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) {
        enum resource resource = beside[i];
        const struct fit *fit = &pair->leaky->fits[resource];
        if (pair->leaky->measured[resource] && fit->grew_every_round) {
            buffer_printf(page, "<dt>%s with it</dt><dd>leaky %s a call; fixed ",
                          resource == RESOURCE_MAPPINGS ? "Mappings" : "Children",
                          text_growth(resource, fit->slope).at);
            html_growth(page, pair, resource, pair->fixed->fits[resource].slope, false);
            buffer_text(page, " a call</dd>");
        }
    }
}

static void facts_write(struct buffer *page, const struct pair *pair)
{
    const struct trial *leaky = pair->leaky;
    buffer_text(page, "<dl><dt>Leaky</dt><dd>");
    measured_write(page, pair, pair->resource);
    buffer_text(page, "</dd><dt>Fixed</dt><dd>");
    remaining_write(page, pair, pair->resource);
    buffer_text(page, "</dd>");
    if (pair->resource != RESOURCE_HEAP && leaky->declared.amount[RESOURCE_HEAP] > 0) {
        buffer_text(page, "<dt>Heap with it</dt><dd>leaky ");
        measured_write(page, pair, RESOURCE_HEAP);
        buffer_text(page, "; fixed ");
        remaining_write(page, pair, RESOURCE_HEAP);
        buffer_text(page, "</dd>");
    }
    beside_write(page, pair);
    if (leaky->library_per_call >= 1) {
        buffer_printf(
            page,
            "<dt>Libraries</dt><dd>took %s more a call; not declared, because "
            "it differs from version to version</dd>",
            text_bytes(leaky->library_per_call).at);
    }
    if (pair->info->kind != KIND_TEMPORARY) {
        buffer_text(page, "<dt>Whole heap</dt><dd>grows by ");
        html_growth(page, pair, RESOURCE_HEAP, trial_heap_growth(leaky), false);
        buffer_text(page, " a call on the leaky server</dd>");
    }
    fact_write(page, "Lost or held", fate_of(pair));
    fact_write(page, "Answers", answers_word(pair->answers.result));
    fact_write(page, "On a graph", picture_sentence(pair->shown->picture));
    if (pair->info->kind == KIND_CHURN) {
        fact_write(
            page, "This chart",
            "both curves include the buffers, a megabyte each, that the servers need "
            "to write their profiles");
    }
    buffer_text(page, "</dl>");
}

/* Whether a reason names the function that the reader should find. */
static bool gives_away(const struct pair *pair, const char *reason)
{
    const char *const names[] = {pair->info->suspect, pair->leaky->heap.function,
                                 pair->leaky->wait.function};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i][0] != '\0' && strstr(reason, names[i]) != NULL) {
            return true;
        }
    }
    for (size_t i = 0; i < made_resource_count; i++) {
        const char *function = pair->leaky->made[made_resources[i]].function;
        if (function[0] != '\0' && strstr(reason, function) != NULL) {
            return true;
        }
    }
    return false;
}

static void problem_write(struct buffer *page, const struct pair *pair)
{
    const char *const reasons[] = {pair->shown->reason, pair->holds->reason};
    const bool good[] = {pair->shown->good, pair->holds->good};
    for (size_t i = 0; i < 2; i++) {
        if (good[i]) {
            continue;
        }
        buffer_printf(page, "<p class=\"problem\">%s: ",
                      i == 0                    ? "The leak is not shown"
                      : pair->holds->unmeasured ? "The fix is not measured"
                                                : "The fix leaks");
        if (gives_away(pair, reasons[i])) {
            buffer_text(page, "the profile does not name the right function.");
        } else {
            buffer_html(page, reasons[i]);
        }
        buffer_text(page, "</p>");
    }
    if (pair->answers.result == ANSWERS_WRONG) {
        buffer_text(page, "<p class=\"problem\">The answers are wrong: ");
        buffer_html(page, pair->answers.reason);
        buffer_text(page, "</p>");
    }
}

/* The title is here, too, because it says what is wrong. */
static void answer_write(struct buffer *page, const struct pair *pair,
                         const char *source)
{
    buffer_text(page, "<details class=\"answer\"><summary>Cause and fix</summary>");
    html_element(page, "h4", pair->info->title);
    html_element(page, "p", pair->info->cause);
    html_element(page, "p", pair->info->fix);
    html_diff(page, source, pair->info->files);
    buffer_text(page, "</details>");
}

void html_scenario(struct buffer *page, const struct pair *pair,
                   const struct html_boxes *boxes, const char *source)
{
    const struct scenario_info *info = pair->info;
    buffer_text(page, "<article id=\"");
    buffer_html(page, info->name);
    buffer_text(page, "\"><h3>");
    buffer_html(page, info->name);
    buffer_text(page, " ");
    html_badge(page, pair);
    buffer_text(page, "</h3>");
    html_element(page, "p", info->story);
    problem_write(page, pair);
    buffer_text(page, "<div class=\"pair\"><figure>");
    html_chart(page, pair->leaky, pair->fixed);
    buffer_text(page, "</figure>");
    facts_write(page, pair);
    buffer_text(page, "</div>");
    html_places(page, pair, boxes, source);
    answer_write(page, pair, source);
    buffer_text(page,
                "<p class=\"up\"><a href=\"#_top\">Back to the top</a></p></article>");
}
