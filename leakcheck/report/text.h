/*
 * How numbers look to a person.
 */
#ifndef LEAKCHECK_REPORT_TEXT_H
#define LEAKCHECK_REPORT_TEXT_H

#include "leakcheck/measure/replies.h"

/* Lives on the stack of whoever formats. */
struct text {
    char at[64];
};

/* "1.5 MiB", "512 B", "0.98 MiB", "-3.0 KiB". */
struct text text_bytes(double bytes);

/* A count: "9", or "0.5" where it isn't whole. */
struct text text_count(double count);

/* An amount of a resource, in bytes or as a count. */
struct text text_amount(enum resource resource, double amount);

#endif
