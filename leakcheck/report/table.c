/*
 * The table of the lab's two servers.
 */
#include "leakcheck/report/table.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "leakcheck/report/table_row.h"

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

static const char *const headings[TABLE_COLUMNS] = {"SCENARIO", "GROWS", "LEAKY",
                                                    "FIXED", "DECLARED"};

/* How wide the columns are, unless a cell is wider. */
static const int usual_widths[TABLE_COLUMNS] = {20, 12, 14, 8, 14};

/* How wide each column is, so that none shifts. */
struct layout {
    int widths[TABLE_COLUMNS];
    bool declared_below; /* it would not fit beside the others */
};

/* Widens each column to its widest cell. */
static struct layout layout_find(struct table_style style,
                                 const struct judgement *judgement)
{
    const struct side *leaky = &judgement->sides[ROLE_LEAKY];
    struct layout layout;
    int sum = TABLE_COLUMNS + (int)strlen("VERDICT");
    for (int i = 0; i < TABLE_COLUMNS; i++) {
        layout.widths[i] = usual_widths[i];
    }
    for (size_t i = 0; i < leaky->count; i++) {
        struct table_row row = {.good = true};
        if (leaky->chosen[i]) {
            row = table_row_make(judgement, i);
        }
        for (int j = 0; j < TABLE_COLUMNS; j++) {
            int length = (int)strlen(row.cells[j]);
            layout.widths[j] = length > layout.widths[j] ? length : layout.widths[j];
        }
    }
    for (int i = 0; i < TABLE_COLUMNS; i++) {
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
    int count = layout->declared_below ? TABLE_DECLARED : TABLE_COLUMNS;
    for (int i = 0; i < count; i++) {
        bool bold = i == TABLE_NAME && !heading;
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
    char part[sizeof(((struct table_row *)NULL)->place)];
    while (text[0] != '\0') {
        const char *end = strstr(text, "; ");
        size_t length = end == NULL ? strlen(text) : (size_t)(end - text);
        snprintf(part, sizeof(part), "%.*s", (int)length, text);
        wrapped_print(stream, style, colour, part);
        text += length + (end == NULL ? 0 : strlen("; "));
    }
}

static void row_print(FILE *stream, struct table_style style,
                      const struct layout *layout, const struct table_row *row)
{
    const char *colour = row->good ? TABLE_GREEN : TABLE_RED;
    const char *cells[TABLE_COLUMNS];
    for (int i = 0; i < TABLE_COLUMNS; i++) {
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
                row->cells[TABLE_DECLARED], table_paint(style, TABLE_PLAIN));
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
        struct table_row row = table_row_make(judgement, i);
        if (!row.good && style.terminal) {
            fprintf(stream, "%sNO %s:%s\n", table_paint(style, TABLE_RED),
                    row.cells[TABLE_NAME], table_paint(style, TABLE_PLAIN));
            wrapped_print(stream, style, TABLE_PLAIN, row.verdict);
        } else if (!row.good) {
            fprintf(stream, "NO %s: %s\n", row.cells[TABLE_NAME], row.verdict);
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
            struct table_row row = table_row_make(judgement, i);
            row_print(stream, style, &layout, &row);
        }
    }
    bad_print(stream, style, judgement);
    struct judge_summary summary = judge_summarize(judgement);
    bool good = summary.shown == summary.judged && summary.holding == summary.judged;
    held_missing_print(stream, style, judgement);
    answers_print(stream, style, &summary);
    fprintf(
        stream,
        "%s%zu of %zu leaks shown, %zu of %zu fixes hold%s, in %.1f s (%u rounds of %s)"
        "%s\n",
        table_paint(style, good ? TABLE_GREEN : TABLE_RED), summary.shown,
        summary.judged, summary.holding, summary.judged,
        text_unmeasured(summary.unmeasured).at, (double)judgement->elapsed_ms / 1000,
        judgement->order.rounds, text_number_of(judgement->order.calls, "call").at,
        table_paint(style, TABLE_PLAIN));
}
