/*
 * One scenario's row in the table of the lab's two servers.
 */
#ifndef LEAKCHECK_REPORT_TABLE_ROW_H
#define LEAKCHECK_REPORT_TABLE_ROW_H

#include <stdbool.h>
#include <stddef.h>

#include "leakcheck/judge/pair.h"

/* The columns of the pairs' table. */
enum table_column {
    TABLE_NAME,
    TABLE_GROWS,
    TABLE_LEAKY,
    TABLE_FIXED,
    TABLE_DECLARED,
    TABLE_COLUMNS
};

/* One row, ready to print. */
struct table_row {
    char cells[TABLE_COLUMNS][48];
    char place[3000];
    char verdict[900];
    bool good;
};

/* The row of the scenario with this number. */
struct table_row table_row_make(const struct judgement *judgement, size_t index);

#endif
