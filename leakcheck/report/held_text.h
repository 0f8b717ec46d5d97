/*
 * Who holds what stays, in words.
 */
#ifndef LEAKCHECK_REPORT_HELD_TEXT_H
#define LEAKCHECK_REPORT_HELD_TEXT_H

#include "leakcheck/judge/held.h"

/* Returned by value: it lives on the stack of the caller. */
struct held_text {
    char at[400];
};

/* The holder: "signatures (leaky/slice_prefix.c:22)", `order_await_payment in thread
 * "order"`, "library libssl.so.3". `holder` is not HELD_LOST. */
struct held_text held_text_holder(const char *holder);

/* The whole, of one that is measured: "held by signatures (leaky/slice_prefix.c:22)",
 * "lost: nothing points to it". Where it is not all, the share comes last: "held by
 * library libssl.so.3 (97 %)". */
struct held_text held_text(const struct held *held);

/* Whether the holder has all of it, as far as a person cares. */
bool held_text_is_all(const struct held *held);

#endif
