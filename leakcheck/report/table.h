/*
 * What leakcheck prints: a table on a terminal, one line a scenario when piped.
 */
#ifndef LEAKCHECK_REPORT_TABLE_H
#define LEAKCHECK_REPORT_TABLE_H

#include <stdio.h>

#include "leakcheck/judge/alone.h"
#include "leakcheck/judge/gate.h"
#include "leakcheck/judge/pair.h"
#include "leakcheck/report/text.h"

/* How it may look. */
struct table_style {
    bool terminal; /* at most 80 columns, two lines a scenario */
    bool colour;
};

/* Plain text, one line a scenario, as it is printed when piped. */
#define TABLE_STYLE_PLAIN ((struct table_style){.terminal = false, .colour = false})

/* The style for `stream`: colour on a terminal, unless NO_COLOR is set. */
struct table_style table_style_of(FILE *stream);

/* What a terminal takes as a change of colour, or back to none; "" if the style has no
 * colour. */
#define TABLE_GREEN "\033[32m"
#define TABLE_RED "\033[31m"
#define TABLE_BOLD "\033[1m"
#define TABLE_FAINT "\033[2m"
#define TABLE_PLAIN "\033[0m"
const char *table_paint(struct table_style style, const char *code);

/* One row a scenario; then those that are not as they should be once more, each in a
 * line that begins with "NO"; why it is not measured who holds what stays, if so; and
 * in the last two lines the sums: of the answers, and of leaks and fixes. */
void table_judgement(FILE *stream, struct table_style style,
                     const struct judgement *judgement);

/* One line a scenario: "holds", or what it still leaves. Where that was allocated, and
 * where threads wait, is in indented lines below. The last line is the sum. */
void table_alone(FILE *stream, struct table_style style, const struct alone *alone);

/* The last lines that a program printed which leakcheck started; nothing without one.
 */
void table_output(FILE *stream, const struct gate *gate);

void table_gate(FILE *stream, struct table_style style, const struct gate *gate,
                const struct gate_settings *settings);

#endif
