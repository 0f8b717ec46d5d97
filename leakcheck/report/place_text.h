/*
 * Where a scenario's leak is made, as far as the profiles know: the phrases of its row
 * in the table, each after "; ".
 */
#ifndef LEAKCHECK_REPORT_PLACE_TEXT_H
#define LEAKCHECK_REPORT_PLACE_TEXT_H

#include "leakcheck/judge/verdict.h"

/* Append to what is in `text`; what has no room is cut. */

/* What it is and where, as far as the profiles know: "leak: allocated in payload_read
 * leaky/slice_prefix.c:34 (100 %)". */
void place_text_write(char *text, size_t size, const struct trial *trial,
                      enum picture picture);

/* Where the fixed half leaks, when it does: "; on fixed, allocated in payload_read
 * fixed/slice_prefix.c:34 (100 %)". */
void place_text_fixed(char *text, size_t size, const struct trial *trial);

#endif
