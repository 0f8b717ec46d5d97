/*
 * The HTML report: one file that needs no network and no script.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "leakcheck/report/html.h"
#include "leakcheck/report/report.h"
#include "leakcheck/report/report_page.h"
#include "leakcheck/report/text.h"

/* What one scenario's section needs. */
struct section {
    const struct scenario_info *info;
    const struct trial *leaky;
    const struct trial *fixed;
    const struct finding *shown;
    const struct finding *holds;
    enum resource resource;
};

static struct section section_of(const struct judgement *judgement, size_t index)
{
    const struct side *leaky = &judgement->sides[ROLE_LEAKY];
    const struct side *fixed = &judgement->sides[ROLE_FIXED];
    return (struct section){.info = &leaky->list[index],
                            .leaky = &leaky->trials[index],
                            .fixed = &fixed->trials[index],
                            .shown = &leaky->findings[index],
                            .holds = &fixed->findings[index],
                            .resource = verdict_resource(&leaky->list[index])};
}

/* An element with text that came from outside. */
static void element_write(struct buffer *page, const char *tag, const char *text)
{
    buffer_printf(page, "<%s>", tag);
    html_text(page, text);
    buffer_printf(page, "</%s>", tag);
}

static void badge_write(struct buffer *page, const struct section *section)
{
    bool good = section->shown->good && section->holds->good;
    const char *text = good                   ? "proved"
                       : section->shown->good ? "the fix leaks"
                                              : "leak not shown";
    buffer_printf(page, "<span class=\"badge %s\">%s</span>", good ? "good" : "bad",
                  text);
}

static void summary_write(struct buffer *page, const struct judgement *judgement)
{
    struct judge_summary summary = judge_summarize(judgement);
    char date[64] = "";
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc) != NULL) {
        strftime(date, sizeof(date), "%Y-%m-%d %H:%M UTC", &utc);
    }
    buffer_printf(
        page,
        "<header><h1>Leak report</h1><p class=\"figures\"><span><strong>%zu of "
        "%zu</strong> leaks shown</span><span><strong>%zu of %zu</strong> fixes "
        "hold</span><span><strong>%.1f s</strong> of measuring</span></p><p>",
        summary.shown, summary.judged, summary.judged - summary.alarms, summary.judged,
        (double)judgement->elapsed_ms / 1000);
    html_text(page, judgement->order.urls[0]);
    buffer_text(page, " against ");
    html_text(page, judgement->order.urls[1]);
    buffer_printf(
        page,
        ", %s. Each scenario: %u rounds of up to %u calls; the growth is "
        "the slope over the rounds. Where something was allocated, and where "
        "a thread waits, is what the profiles know; the bug is often "
        "elsewhere: with whoever keeps what was allocated, or never does what "
        "is waited for.</p></header>",
        date, judgement->order.rounds, judgement->order.calls);
}

static void table_write(struct buffer *page, const struct judgement *judgement)
{
    const struct side *leaky = &judgement->sides[ROLE_LEAKY];
    buffer_text(page, "<div class=\"wide\"><table><thead><tr><th>Scenario<th>Verdict"
                      "<th>Grows<th>Leaky, a call<th>Fixed, a call<th>Declared"
                      "</tr></thead><tbody>");
    for (size_t i = 0; i < leaky->count; i++) {
        if (!leaky->chosen[i]) {
            continue;
        }
        struct section section = section_of(judgement, i);
        enum resource resource = section.resource;
        double measured = verdict_measured(section.leaky, resource);
        double declared = verdict_declared(section.leaky, resource);
        buffer_text(page, "<tr><td><a href=\"#");
        html_text(page, section.info->name);
        buffer_text(page, "\">");
        html_text(page, section.info->name);
        buffer_text(page, "</a><td>");
        badge_write(page, &section);
        buffer_printf(
            page, "<td>%s<td>%s<td>%s<td>%s", resource_name(resource),
            text_amount(resource, measured).at,
            text_amount(resource, verdict_remaining(section.fixed, resource)).at,
            text_amount(resource, declared).at);
        buffer_text(page, "</tr>");
    }
    buffer_text(page, "</tbody></table></div>");
}

static void fact_write(struct buffer *page, const char *name, const char *value)
{
    buffer_printf(page, "<dt>%s</dt>", name);
    element_write(page, "dd", value);
}

/* "function, file:line, 98 % of the growth" */
static void blame_write(struct buffer *page, const char *name,
                        const struct blame *blame)
{
    char text[600];
    if (blame->growth <= 0) {
        return;
    }
    snprintf(text, sizeof(text), "%s, %s:%u, %.0f %% of the growth", blame->function,
             blame->file[0] == '\0' ? "file not known" : blame->file, blame->line,
             100.0 * (double)blame->growth / (double)blame->total);
    fact_write(page, name, text);
}

static void facts_write(struct buffer *page, const struct section *section)
{
    enum resource resource = section->resource;
    double measured = verdict_measured(section->leaky, resource);
    double declared = verdict_declared(section->leaky, resource);
    char text[200];
    buffer_text(page, "<dl>");
    snprintf(text, sizeof(text), "%s a call; declared are %s (%.3f of it)",
             text_amount(resource, measured).at, text_amount(resource, declared).at,
             section->shown->ratio);
    fact_write(page, "Leaky", text);
    snprintf(text, sizeof(text), "%s a call",
             text_amount(resource, verdict_remaining(section->fixed, resource)).at);
    fact_write(page, "Fixed", text);
    if (resource != RESOURCE_HEAP &&
        section->leaky->declared.amount[RESOURCE_HEAP] > 0) {
        snprintf(text, sizeof(text), "%s a call; declared are %s",
                 text_bytes(section->leaky->heap_per_call).at,
                 text_bytes((double)section->leaky->declared.amount[RESOURCE_HEAP]).at);
        fact_write(page, "Heap", text);
    }
    if (section->leaky->library_per_call >= 1) {
        snprintf(text, sizeof(text),
                 "%s a call; not declared, because it differs from version to version",
                 text_bytes(section->leaky->library_per_call).at);
        fact_write(page, "Libraries took", text);
    }
    snprintf(text, sizeof(text), "%s a call, all stacks together",
             text_bytes(trial_heap_growth(section->leaky)).at);
    fact_write(page, "In use", text);
    fact_write(page, "Picture", picture_sentence(section->shown->picture));
    if (section->info->kind == KIND_CHURN) {
        fact_write(page, "Chart",
                   "both curves hold the buffers, a megabyte each, that "
                   "the servers need to write their profiles");
    }
    if (section->info->suspect[0] != '\0') {
        blame_write(page, "Allocated in", &section->leaky->heap);
    }
    blame_write(page, "Waits in", &section->leaky->wait);
    buffer_text(page, "</dl>");
}

/* A file's name comes from the server: it is opened only if it is one of the pair's,
 * which were checked when they were read. */
static void places_write(struct buffer *page, const struct section *section,
                         const char *source)
{
    const struct blame *places[] = {&section->leaky->heap, &section->leaky->wait};
    bool seen_by_profile = section->info->suspect[0] != '\0';
    for (size_t i = 0; i < 2; i++) {
        const struct blame *place = places[i];
        if (place->growth <= 0 || (i == 0 && !seen_by_profile)) {
            continue;
        }
        buffer_printf(page, "<h3>%s ", i == 0 ? "Allocated here:" : "They wait here:");
        html_text(page, place->function);
        buffer_text(page, "</h3>");
        if (strcmp(place->file, section->info->files[0]) == 0) {
            html_source(page, source, place->file, place->line);
        } else {
            buffer_text(page, "<p class=\"note\">Not in the scenario's own file: ");
            html_text(page, place->file);
            buffer_text(page, "</p>");
        }
    }
}

static void section_write(struct buffer *page, const struct section *section,
                          const char *source)
{
    const struct scenario_info *info = section->info;
    buffer_text(page, "<section id=\"");
    html_text(page, info->name);
    buffer_text(page, "\"><h2>");
    html_text(page, info->title);
    buffer_text(page, " ");
    badge_write(page, section);
    buffer_text(page, "</h2><p class=\"name\">");
    html_text(page, info->name);
    buffer_text(page, " (");
    html_text(page, info->family);
    buffer_text(page, ")</p>");
    element_write(page, "p", info->story);
    if (!section->shown->good || !section->holds->good) {
        buffer_text(page, "<p class=\"problem\">");
        html_text(page, section->shown->reason);
        buffer_text(page, section->shown->reason[0] != '\0' ? " " : "");
        html_text(page, section->holds->reason);
        buffer_text(page, "</p>");
    }
    buffer_text(page, "<div class=\"pair\"><figure>");
    html_chart(page, section->leaky, section->fixed);
    buffer_text(page, "</figure>");
    facts_write(page, section);
    buffer_text(page, "</div>");
    places_write(page, section, source);
    buffer_text(page, "<details><summary>Cause and fix</summary>");
    element_write(page, "p", info->cause);
    element_write(page, "p", info->fix);
    html_diff(page, source, info->files);
    buffer_text(page, "</details></section>");
}

static void heaps_write(struct buffer *page, const struct judgement *judgement)
{
    static const char *const names[] = {"leaky", "fixed"};
    buffer_text(page,
                "<section id=\"heaps\"><h2>What is in use in the end</h2><p>Width "
                "is bytes in use; who called stands above whom it called. The "
                "profile's own buffer is left out.</p>");
    for (int i = 0; i < 2; i++) {
        buffer_printf(page, "<h3>%s</h3>", names[i]);
        html_icicle(page, &judgement->sides[i].heap);
    }
    buffer_text(page, "</section>");
}

int report_html(const char *path, const char *source, const struct judgement *judgement,
                struct failure *failure)
{
    struct buffer page = {0};
    const struct side *leaky = &judgement->sides[ROLE_LEAKY];
    const char *mark = strstr(report_page, REPORT_PAGE_MARK);
    buffer_append(&page, report_page, (size_t)(mark - report_page));
    summary_write(&page, judgement);
    table_write(&page, judgement);
    heaps_write(&page, judgement);
    for (size_t i = 0; i < leaky->count; i++) {
        if (leaky->chosen[i]) {
            struct section section = section_of(judgement, i);
            section_write(&page, &section, source);
        }
    }
    buffer_text(&page, mark + strlen(REPORT_PAGE_MARK));
    int error = page.error != 0 ? failure_set(failure, ENOMEM, "out of memory")
                                : report_write(path, page.data, page.length, failure);
    buffer_release(&page);
    return error;
}
