/*
 * Prints the verdicts.
 */
#include "leakcheck/report/table.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GREEN "\033[32m"
#define RED "\033[31m"
#define BOLD "\033[1m"
#define FAINT "\033[2m"
#define PLAIN "\033[0m"

#define TERMINAL_COLUMNS 80

struct table_style table_style_of(FILE *stream)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    struct table_style style = {.terminal = isatty(fileno(stream)) == 1};
    style.colour = style.terminal && (no_color == NULL || no_color[0] == '\0') &&
                   (term == NULL || strcmp(term, "dumb") != 0);
    return style;
}

static const char *paint(struct table_style style, const char *code)
{
    return style.colour ? code : "";
}

/* One row, ready to print. */
struct row {
    char resource[40];
    char leaky[40];
    char fixed[40];
    char declared[40];
    char place[480];
    char verdict[200];
    bool good;
};

/* "2, 8.0 KiB": what a scenario is about, and its heap where that is another thing. */
static void amounts_write(char *text, size_t size, const struct trial *trial,
                          double (*get)(const struct trial *, enum resource))
{
    enum resource resource = verdict_resource(trial->info);
    struct text first = text_amount(resource, get(trial, resource));
    if (resource == RESOURCE_THREADS || resource == RESOURCE_FDS ||
        resource == RESOURCE_TIMERS) {
        if (trial->declared.amount[RESOURCE_HEAP] > 0) {
            struct text heap = text_bytes(get(trial, RESOURCE_HEAP));
            snprintf(text, size, "%s, %s", first.at, heap.at);
            return;
        }
    }
    snprintf(text, size, "%s", first.at);
}

/* What it is and where, as far as the profiles know: "leak: allocated in payload_read
 * leaky/slice_prefix.c:34 (100 %)". */
static void place_write(char *text, size_t size, const struct trial *trial,
                        enum picture picture)
{
    const struct blame *heap = &trial->heap;
    const struct blame *wait = &trial->wait;
    int length = snprintf(text, size, "%s: ", picture_name(picture));
    int start = length;
    bool has_heap = trial->info->suspect[0] != '\0' ||
                    trial->declared.amount[RESOURCE_HEAP] > 0 ||
                    trial->info->growth_bytes_per_second > 0;
    if (has_heap && heap->growth > 0) {
        length += snprintf(text + length, size - (size_t)length,
                           "allocated in %.100s %.100s:%u (%.0f %%)", heap->function,
                           heap->file, heap->line,
                           100.0 * (double)heap->growth / (double)heap->total);
    }
    if (has_heap && trial->library_per_call >= 1) {
        length +=
            snprintf(text + length, size - (size_t)length, "; libraries took %s more",
                     text_bytes(trial->library_per_call).at);
    }
    if (wait->growth > 0) {
        length += snprintf(text + length, size - (size_t)length,
                           "%swaits in %.100s %.100s:%u", length > start ? "; " : "",
                           wait->function, wait->file, wait->line);
    }
    if (length == start) {
        snprintf(text + length, size - (size_t)length, "not seen by a profile");
    }
}

static struct row row_make(const struct judgement *judgement, size_t index)
{
    struct row row = {.good = true};
    const struct side *leaky = &judgement->sides[ROLE_LEAKY];
    const struct side *fixed = &judgement->sides[ROLE_FIXED];
    const struct trial *trial = &leaky->trials[index];
    snprintf(row.resource, sizeof(row.resource), "%s",
             resource_name(verdict_resource(trial->info)));
    amounts_write(row.leaky, sizeof(row.leaky), trial, verdict_measured);
    amounts_write(row.fixed, sizeof(row.fixed), &fixed->trials[index],
                  verdict_remaining);
    amounts_write(row.declared, sizeof(row.declared), trial, verdict_declared);
    const struct finding *shown = &leaky->findings[index];
    place_write(row.place, sizeof(row.place), trial, shown->picture);
    const struct finding *holds = &fixed->findings[index];
    snprintf(row.verdict, sizeof(row.verdict), "proved");
    if (!shown->good) {
        row.good = false;
        snprintf(row.verdict, sizeof(row.verdict), "LEAK NOT SHOWN: %s", shown->reason);
    }
    if (!holds->good) {
        size_t length = shown->good ? 0 : strlen(row.verdict);
        row.good = false;
        snprintf(row.verdict + length, sizeof(row.verdict) - length,
                 "%sTHE FIX LEAKS: %s", length > 0 ? "; " : "", holds->reason);
    }
    return row;
}

/* Prints a text in lines of at most TERMINAL_COLUMNS, each indented, broken at blanks.
 */
static void place_print(FILE *stream, struct table_style style, const char *text)
{
    const size_t width = TERMINAL_COLUMNS - 4;
    while (text[0] != '\0') {
        size_t length = strlen(text);
        if (length > width) {
            length = width;
            while (length > 0 && text[length] != ' ') {
                length--;
            }
            length = length == 0 ? width : length; /* one long word */
        }
        fprintf(stream, "    %s%.*s%s\n", paint(style, FAINT), (int)length, text,
                paint(style, PLAIN));
        text += length;
        text += strspn(text, " ");
    }
}

static void row_print(FILE *stream, struct table_style style, const char *name,
                      const struct row *row)
{
    const char *colour = paint(style, row->good ? GREEN : RED);
    if (!style.terminal) {
        fprintf(stream, "%-20s %-12s %-14s %-8s %-14s %s; %s\n", name, row->resource,
                row->leaky, row->fixed, row->declared, row->verdict, row->place);
        return;
    }
    fprintf(stream, "%s%-20s%s %-12s %-14s %-8s %-14s %s%s%s\n", paint(style, BOLD),
            name, paint(style, PLAIN), row->resource, row->leaky, row->fixed,
            row->declared, colour, row->good ? row->verdict : "NO",
            paint(style, PLAIN));
    if (!row->good) {
        fprintf(stream, "    %s%.160s%s\n", colour, row->verdict, paint(style, PLAIN));
    }
    place_print(stream, style, row->place);
}

void table_judgement(FILE *stream, struct table_style style,
                     const struct judgement *judgement)
{
    const struct side *leaky = &judgement->sides[ROLE_LEAKY];
    fprintf(stream, "%-20s %-12s %-14s %-8s %-14s %s\n", "SCENARIO", "GROWS", "LEAKY",
            "FIXED", "DECLARED", style.terminal ? "VERDICT" : "VERDICT; WHERE");
    for (size_t i = 0; i < leaky->count; i++) {
        if (leaky->chosen[i]) {
            struct row row = row_make(judgement, i);
            row_print(stream, style, leaky->list[i].name, &row);
        }
    }
    struct judge_summary summary = judge_summarize(judgement);
    bool good = summary.shown == summary.judged && summary.alarms == 0;
    fprintf(
        stream,
        "%s%zu of %zu leaks shown, %zu of %zu fixes hold, in %.1f s (%u rounds of %u "
        "calls)%s\n",
        paint(style, good ? GREEN : RED), summary.shown, summary.judged,
        summary.judged - summary.alarms, summary.judged,
        (double)judgement->elapsed_ms / 1000, judgement->order.rounds,
        judgement->order.calls, paint(style, PLAIN));
}

/* "allocated in  main.keep /x/main.go:12 (98 %)" */
static void blame_print(FILE *stream, const char *what, const struct blame *blame)
{
    if (blame->growth <= 0) {
        return;
    }
    fprintf(stream, "%-12s %s", what, blame->function);
    if (blame->file[0] != '\0') {
        fprintf(stream, " %s:%u", blame->file, blame->line);
    }
    fprintf(stream, " (%.0f %%)\n",
            100.0 * (double)blame->growth / (double)blame->total);
}

/* A growth and its limit, not rounded where rounding makes them look equal. */
static void growth_print(FILE *stream, enum resource resource, double grown,
                         double limit)
{
    struct text left = text_amount(resource, grown);
    struct text right = text_amount(resource, limit);
    if (grown > limit && strcmp(left.at, right.at) == 0) {
        bool bytes = resource == RESOURCE_HEAP || resource == RESOURCE_RSS;
        const char *unit = bytes ? " B" : "";
        snprintf(left.at, sizeof(left.at), "%.10g%s", grown, unit);
        snprintf(right.at, sizeof(right.at), "%.10g%s", limit, unit);
    }
    fprintf(stream, "%s a call, limit %s", left.at, right.at);
}

/* "heap         2.0 KiB a call, limit 1.0 KiB: OVER" */
static void resource_print(FILE *stream, struct table_style style,
                           const struct gate *gate, enum resource resource)
{
    const struct gate_resource *judged = &gate->resources[resource];
    bool goroutines = resource == RESOURCE_THREADS && gate->server.is_go;
    fprintf(stream, "%-12s ", goroutines ? "goroutines" : resource_name(resource));
    if (!judged->measured) {
        bool heap = resource == RESOURCE_HEAP;
        fprintf(stream, "%snot measured%s%s%s\n", paint(style, BOLD),
                paint(style, PLAIN), heap ? ": " : "",
                heap ? gate_missing_reason(gate, resource) : "");
        return;
    }
    growth_print(stream, resource, judged->fit.slope, judged->limit.most);
    if (judged->over) {
        fprintf(stream, "%s: OVER%s", paint(style, RED), paint(style, PLAIN));
    } else if (judged->fit.slope > judged->limit.most) {
        fputs(", but not in every round", stream);
    }
    fputc('\n', stream);
}

/* Where it happens, as far as the profiles know. */
static void places_print(FILE *stream, const struct gate *gate)
{
    const struct gate_resource *heap = &gate->resources[RESOURCE_HEAP];
    const struct gate_resource *threads = &gate->resources[RESOURCE_THREADS];
    if (gate->picture == PICTURE_FLAT) {
        return;
    }
    blame_print(stream, "allocated in", &heap->blame);
    if (heap->over && heap->blame.growth <= 0) {
        fprintf(stream, "%-12s an unknown function: %s\n", "allocated in",
                gate->server.names_reason[0] == '\0' ? "the stacks have no names"
                                                     : gate->server.names_reason);
    }
    if (gate->picture == PICTURE_THREADS) {
        blame_print(stream, "waits in", &threads->blame);
    }
    if (gate->own_missed != NULL) {
        fprintf(stream, "%-12s no stack that has names passes through --own %s\n",
                "own code", gate->own_missed);
    }
}

/* "holds for heap, threads; not measured: timers" */
static void verdict_print(FILE *stream, struct table_style style,
                          const struct gate *gate)
{
    bool over = gate_is_over(gate);
    struct gate_names leaks = gate_names_measured(gate, true);
    struct gate_names holds = gate_names_measured(gate, false);
    struct gate_names missing = gate_names_missing(gate);
    fprintf(stream, "%-12s %s", "verdict", paint(style, over ? RED : GREEN));
    if (over) {
        fprintf(stream, "LEAKS: %s%s", leaks.at, holds.at[0] == '\0' ? "" : "; ");
    }
    fprintf(stream, "%s%s%s", holds.at[0] == '\0' ? "" : "holds for ", holds.at,
            paint(style, PLAIN));
    if (missing.at[0] != '\0') {
        fprintf(stream, "; not measured: %s", missing.at);
    }
    fputc('\n', stream);
}

void table_gate(FILE *stream, struct table_style style, const struct gate *gate,
                const struct gate_settings *settings)
{
    fprintf(stream, "%-12s %s%s\n", "path", gate->server.http.base, settings->drive);
    for (size_t i = 0; i < gate_judged_count; i++) {
        resource_print(stream, style, gate, gate_judged[i]);
    }
    if (gate->counts_allocations) {
        fprintf(stream, "%-12s %s a call\n", "allocated",
                text_bytes(gate->total_per_call).at);
    }
    fprintf(stream, "%-12s %s\n", "picture", picture_sentence(gate->picture));
    places_print(stream, gate);
    verdict_print(stream, style, gate);
    fprintf(stream, "%-12s %zu rounds of %u calls, %.1f s\n", "measured in",
            gate->sample_count - 1, gate->calls, (double)gate->elapsed_ms / 1000);
}
