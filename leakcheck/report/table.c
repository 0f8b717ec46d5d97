/*
 * The table of the lab's two servers.
 */
#include "leakcheck/report/table.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "leakcheck/report/place_text.h"

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

const char *table_paint(struct table_style style, const char *code)
{
    return style.colour ? code : "";
}

/* The columns of the pairs' table. */
enum column { NAME, GROWS, LEAKY, FIXED, DECLARED, COLUMNS };

static const char *const headings[COLUMNS] = {"SCENARIO", "GROWS", "LEAKY", "FIXED",
                                              "DECLARED"};

/* How wide the columns are, unless a cell is wider. */
static const int usual_widths[COLUMNS] = {20, 12, 14, 8, 14};

/* One row, ready to print. */
struct row {
    char cells[COLUMNS][48];
    char place[3000];
    char verdict[900];
    bool good;
};

/* How wide each column is, so that none shifts. */
struct layout {
    int widths[COLUMNS];
    bool declared_below; /* it would not fit beside the others */
};

/* Whether the row says what becomes of the heap besides the resource that the scenario
 * is about. */
static bool heap_comes_second(const struct trial *trial)
{
    enum resource resource = verdict_resource(trial->info);
    bool counted = resource == RESOURCE_THREADS || resource == RESOURCE_FDS ||
                   resource == RESOURCE_TIMERS;
    return counted && trial->declared.amount[RESOURCE_HEAP] > 0;
}

/* One amount; what a call holds for a while cannot shrink, but be unknown. */
static struct text amount_text(const struct trial *trial, enum resource resource,
                               double amount)
{
    if (trial->info->kind == KIND_TEMPORARY && amount < 0) {
        return (struct text){"unknown"};
    }
    return text_growth(resource, amount);
}

/* "2, 8.0 KiB": what a scenario is about, and its heap where that is another thing. */
static void amounts_write(char *text, size_t size, const struct trial *trial,
                          double (*get)(const struct trial *, enum resource))
{
    enum resource resource = verdict_resource(trial->info);
    text_append(text, size, "%s",
                amount_text(trial, resource, get(trial, resource)).at);
    if (heap_comes_second(trial)) {
        text_append(text, size, ", %s",
                    amount_text(trial, RESOURCE_HEAP, get(trial, RESOURCE_HEAP)).at);
    }
}

/* "; on fixed, heap shrank by 8.0 KiB a call": what stands as 0 in the columns. */
static void shrinkage_write(char *text, size_t size, const char *half,
                            const struct trial *trial,
                            double (*get)(const struct trial *, enum resource))
{
    const enum resource shown[] = {verdict_resource(trial->info), RESOURCE_HEAP};
    size_t count = heap_comes_second(trial) ? 2 : 1;
    for (size_t i = 0; i < count && trial->info->kind != KIND_TEMPORARY; i++) {
        double amount = get(trial, shown[i]);
        if (text_is_shrinkage(shown[i], amount)) {
            text_append(text, size, "; on %s, %s shrank by %s a call", half,
                        resource_name(shown[i]), text_amount(shown[i], -amount).at);
        }
    }
}

static void verdict_write(struct row *row, const struct finding *shown,
                          const struct finding *holds,
                          const struct answers_finding *answers)
{
    bool right = answers->result != ANSWERS_WRONG;
    row->good = shown->good && holds->good && right;
    text_append(row->verdict, sizeof(row->verdict), "%s", row->good ? "proved" : "");
    if (!shown->good) {
        text_append(row->verdict, sizeof(row->verdict), "LEAK NOT SHOWN: %s",
                    shown->reason);
    }
    if (!holds->good) {
        text_append(row->verdict, sizeof(row->verdict), "%s%s: %s",
                    shown->good ? "" : "; ",
                    holds->unmeasured ? "THE FIX IS NOT MEASURED" : "THE FIX LEAKS",
                    holds->reason);
    }
    if (!right) {
        text_append(row->verdict, sizeof(row->verdict), "%sWRONG ANSWERS: %s",
                    shown->good && holds->good ? "" : "; ", answers->reason);
    }
}

static struct row row_make(const struct judgement *judgement, size_t index)
{
    struct row row = {.good = true};
    const size_t size = sizeof(row.cells[0]);
    const struct side *leaky = &judgement->sides[ROLE_LEAKY];
    const struct side *fixed = &judgement->sides[ROLE_FIXED];
    const struct trial *trial = &leaky->trials[index];
    const struct trial *other = &fixed->trials[index];
    text_append(row.cells[NAME], size, "%s", leaky->list[index].name);
    text_append(row.cells[GROWS], size, "%s",
                resource_name(verdict_resource(trial->info)));
    amounts_write(row.cells[LEAKY], size, trial, verdict_measured);
    amounts_write(row.cells[FIXED], size, other, verdict_remaining);
    amounts_write(row.cells[DECLARED], size, trial, verdict_declared);
    place_text_write(row.place, sizeof(row.place), trial,
                     leaky->findings[index].picture);
    if (!fixed->findings[index].good) {
        place_text_fixed(row.place, sizeof(row.place), other);
    }
    struct answers_finding answers = judge_answers(judgement, index);
    text_append(row.place, sizeof(row.place), "; %s", answers_phrase(answers.result));
    shrinkage_write(row.place, sizeof(row.place), "leaky", trial, verdict_measured);
    shrinkage_write(row.place, sizeof(row.place), "fixed", other, verdict_remaining);
    verdict_write(&row, &leaky->findings[index], &fixed->findings[index], &answers);
    return row;
}

/* Widens each column to its widest cell. */
static struct layout layout_find(struct table_style style,
                                 const struct judgement *judgement)
{
    const struct side *leaky = &judgement->sides[ROLE_LEAKY];
    struct layout layout;
    int sum = COLUMNS + (int)strlen("VERDICT");
    for (int i = 0; i < COLUMNS; i++) {
        layout.widths[i] = usual_widths[i];
    }
    for (size_t i = 0; i < leaky->count; i++) {
        struct row row = {.good = true};
        if (leaky->chosen[i]) {
            row = row_make(judgement, i);
        }
        for (int j = 0; j < COLUMNS; j++) {
            int length = (int)strlen(row.cells[j]);
            layout.widths[j] = length > layout.widths[j] ? length : layout.widths[j];
        }
    }
    for (int i = 0; i < COLUMNS; i++) {
        sum += layout.widths[i];
    }
    layout.declared_below = style.terminal && sum > TERMINAL_COLUMNS;
    return layout;
}

/* The cells of a row, each with a blank behind it. */
static void cells_print(FILE *stream, struct table_style style,
                        const struct layout *layout, const char *const *cells,
                        bool heading)
{
    int count = layout->declared_below ? DECLARED : COLUMNS;
    for (int i = 0; i < count; i++) {
        bool bold = i == NAME && !heading;
        fprintf(stream, "%s%-*s%s ", bold ? table_paint(style, TABLE_BOLD) : "",
                layout->widths[i], cells[i],
                bold ? table_paint(style, TABLE_PLAIN) : "");
    }
}

/* Prints a text in lines of at most TERMINAL_COLUMNS, each indented, broken at blanks.
 */
static void wrapped_print(FILE *stream, struct table_style style, const char *colour,
                          const char *text)
{
    const size_t width = TERMINAL_COLUMNS - 4;
    while (text[0] != '\0') {
        size_t length = strlen(text);
        if (length > width) {
            length = width;
            while (length > 0 && (text[length] != ' ' || text[length + 1] == '%')) {
                length--;
            }
            length = length == 0 ? width : length; /* one long word */
        }
        fprintf(stream, "    %s%.*s%s\n", table_paint(style, colour), (int)length, text,
                table_paint(style, TABLE_PLAIN));
        text += length;
        text += strspn(text, " ");
    }
}

/* Prints the parts of a text, which "; " separates, each in lines of its own. */
static void parts_print(FILE *stream, struct table_style style, const char *colour,
                        const char *text)
{
    char part[sizeof(((struct row *)NULL)->place)];
    while (text[0] != '\0') {
        const char *end = strstr(text, "; ");
        size_t length = end == NULL ? strlen(text) : (size_t)(end - text);
        snprintf(part, sizeof(part), "%.*s", (int)length, text);
        wrapped_print(stream, style, colour, part);
        text += length + (end == NULL ? 0 : strlen("; "));
    }
}

static void row_print(FILE *stream, struct table_style style,
                      const struct layout *layout, const struct row *row)
{
    const char *colour = row->good ? TABLE_GREEN : TABLE_RED;
    const char *cells[COLUMNS];
    for (int i = 0; i < COLUMNS; i++) {
        cells[i] = row->cells[i];
    }
    cells_print(stream, style, layout, cells, false);
    if (!style.terminal) {
        fprintf(stream, "%s; %s\n", row->verdict, row->place);
        return;
    }
    fprintf(stream, "%s%s%s\n", table_paint(style, colour),
            row->good ? row->verdict : "NO", table_paint(style, TABLE_PLAIN));
    if (!row->good) {
        wrapped_print(stream, style, colour, row->verdict);
    }
    if (layout->declared_below) {
        fprintf(stream, "    %sdeclared: %s%s\n", table_paint(style, TABLE_FAINT),
                row->cells[DECLARED], table_paint(style, TABLE_PLAIN));
    }
    parts_print(stream, style, TABLE_FAINT, row->place);
}

/* Those that are not as they should be, where a reader of a long table sees them. */
static void bad_print(FILE *stream, struct table_style style,
                      const struct judgement *judgement)
{
    const struct side *leaky = &judgement->sides[ROLE_LEAKY];
    for (size_t i = 0; i < leaky->count; i++) {
        if (!leaky->chosen[i]) {
            continue;
        }
        struct row row = row_make(judgement, i);
        if (!row.good && style.terminal) {
            fprintf(stream, "%sNO %s:%s\n", table_paint(style, TABLE_RED),
                    row.cells[NAME], table_paint(style, TABLE_PLAIN));
            wrapped_print(stream, style, TABLE_PLAIN, row.verdict);
        } else if (!row.good) {
            fprintf(stream, "NO %s: %s\n", row.cells[NAME], row.verdict);
        }
    }
}

/* "29 of 29 answers right (2 of them finished on fixed alone)" */
static void answers_print(FILE *stream, struct table_style style,
                          const struct judge_summary *summary)
{
    size_t alone = summary->answers[ANSWERS_LEAKY_UNFINISHED];
    size_t missing = summary->answers[ANSWERS_NOT_MEASURED];
    size_t right = summary->answers[ANSWERS_EQUAL] + alone;
    if (missing == summary->judged) {
        fputs("answers not measured: there are replies without one\n", stream);
        return;
    }
    fprintf(stream, "%s%zu of %zu answers right%s",
            table_paint(style, right == summary->judged ? TABLE_GREEN : TABLE_RED),
            right, summary->judged, table_paint(style, TABLE_PLAIN));
    if (alone > 0) {
        fprintf(stream, " (%zu of them finished on fixed alone)", alone);
    }
    if (missing > 0) {
        fprintf(stream, ", %zu not measured", missing);
    }
    fputc('\n', stream);
}

/* "who holds it is not measured for 27 of 27: start the server with --profile
 * recorder". Of a server that has no such profile nothing is said. */
static void held_missing_print(FILE *stream, struct table_style style,
                               const struct judgement *judgement)
{
    const struct side *leaky = &judgement->sides[ROLE_LEAKY];
    const char *reason = NULL;
    size_t blamed = 0;
    size_t missing = 0;
    for (size_t i = 0;
         i < leaky->count && !leaky->server.own_pages[OWN_RETAINED].absent; i++) {
        const struct held *held = &leaky->trials[i].held;
        blamed += held->measured || held->reason[0] != '\0';
        missing += held->reason[0] != '\0';
        reason = held->reason[0] != '\0' ? held->reason : reason;
    }
    if (reason == NULL) {
        return;
    }
    fprintf(stream, "who holds it is not measured for %zu of %zu:%s", missing, blamed,
            style.terminal ? "\n" : " ");
    if (style.terminal) {
        wrapped_print(stream, style, TABLE_PLAIN, reason);
    } else {
        fprintf(stream, "%s\n", reason);
    }
}

void table_judgement(FILE *stream, struct table_style style,
                     const struct judgement *judgement)
{
    const struct side *leaky = &judgement->sides[ROLE_LEAKY];
    const struct layout layout = layout_find(style, judgement);
    cells_print(stream, style, &layout, headings, true);
    fprintf(stream, "%s\n", style.terminal ? "VERDICT" : "VERDICT; WHERE");
    for (size_t i = 0; i < leaky->count; i++) {
        if (leaky->chosen[i]) {
            struct row row = row_make(judgement, i);
            row_print(stream, style, &layout, &row);
        }
    }
    bad_print(stream, style, judgement);
    struct judge_summary summary = judge_summarize(judgement);
    bool good = summary.shown == summary.judged && summary.alarms == 0;
    held_missing_print(stream, style, judgement);
    answers_print(stream, style, &summary);
    fprintf(
        stream,
        "%s%zu of %zu leaks shown, %zu of %zu fixes hold, in %.1f s (%u rounds of %s)"
        "%s\n",
        table_paint(style, good ? TABLE_GREEN : TABLE_RED), summary.shown,
        summary.judged, summary.judged - summary.alarms, summary.judged,
        (double)judgement->elapsed_ms / 1000, judgement->order.rounds,
        text_number_of(judgement->order.calls, "call").at,
        table_paint(style, TABLE_PLAIN));
}
