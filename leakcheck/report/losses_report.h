/*
 * What is said of a program that was run to its end: as lines, and as JSON.
 */
#ifndef LEAKCHECK_REPORT_LOSSES_REPORT_H
#define LEAKCHECK_REPORT_LOSSES_REPORT_H

#include "leakcheck/judge/losses.h"
#include "leakcheck/report/table.h"

/* Prints the verdict; for each process that has lost something, the lines of code. */
void losses_table(FILE *stream, struct table_style style, const struct losses *losses,
                  const struct losses_settings *settings);

/* Writes the same to `path`. Returns 0, or -errno with a reason. */
int losses_json(const char *path, const struct losses *losses,
                const struct losses_settings *settings, struct failure *failure);

#endif
