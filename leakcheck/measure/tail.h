/*
 * The last lines of what a command prints. However much that is, only its end is kept.
 */
#ifndef LEAKCHECK_MEASURE_TAIL_H
#define LEAKCHECK_MEASURE_TAIL_H

#include <stddef.h>

#define TAIL_BYTES 4096 /* that are kept */
#define TAIL_LINES 10   /* that are shown */
#define TAIL_WIDTH 200  /* characters of a line that are shown */

/* Lives in memory that the caller owns; { 0 } is empty. */
struct tail {
    char bytes[TAIL_BYTES];
    size_t length;
};

/* The lines, oldest first: printable ASCII, other bytes are '?'. */
struct tail_lines {
    char at[TAIL_LINES][TAIL_WIDTH + 1];
    size_t count;
};

/* Adds what was printed. The oldest bytes are dropped. */
void tail_add(struct tail *tail, const char *data, size_t length);

/* Splits into lines. Empty ones are left out. */
void tail_split(const struct tail *tail, struct tail_lines *ret_lines);

#endif
