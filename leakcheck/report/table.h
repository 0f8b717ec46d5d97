/*
 * What leakcheck prints: a table on a terminal, one line a scenario when piped.
 */
#ifndef LEAKCHECK_REPORT_TABLE_H
#define LEAKCHECK_REPORT_TABLE_H

#include <stdio.h>

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

/* One row a scenario; then those that are not as they should be once more, each in a
 * line that begins with "NO", and in the last line the sum. */
void table_judgement(FILE *stream, struct table_style style,
                     const struct judgement *judgement);

void table_gate(FILE *stream, struct table_style style, const struct gate *gate,
                const struct gate_settings *settings);

#endif
