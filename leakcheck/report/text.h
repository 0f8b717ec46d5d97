/*
 * Amounts and counts as text for people.
 */
#ifndef LEAKCHECK_REPORT_TEXT_H
#define LEAKCHECK_REPORT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "leakcheck/measure/replies.h"

/* Returned by value: it lives on the stack of the caller. */
struct text {
    char at[64];
};

/* Writes behind what is in `text`, which has room for `size` bytes; what has no room is
 * cut. */
void text_append(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "1.5 MiB", "512 B", "0.98 MiB", "-3.0 KiB". */
struct text text_bytes(double bytes);

/* A count: "9", or "0.50" or "99.5" where it isn't whole. */
struct text text_count(double count);

/* "1 call", "2 calls". */
struct text text_number_of(uint64_t count, const char *singular);

/* ", 2 not measured"; "" for 0. */
struct text text_unmeasured(size_t count);

/* An amount of a resource, in bytes or as a count. */
struct text text_amount(enum resource resource, double amount);

/* The same for a growth; "0" if `amount` is negative. text_is_shrinkage is true if it
 * is negative and does not round to 0: the caller then adds a note. */
struct text text_growth(enum resource resource, double amount);
bool text_is_shrinkage(enum resource resource, double amount);

#endif
