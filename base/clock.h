/*
 * Time that never goes back (CLOCK_MONOTONIC), and a pause that a signal does not
 * shorten. Only differences between two times have a meaning.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_NS_PER_MS INT64_C(1000000)
#define CLOCK_NS_PER_SECOND INT64_C(1000000000)

/* The time in milliseconds or nanoseconds. */
int64_t clock_now_ms(void);
int64_t clock_now_ns(void);

/* Sleeps `ms` milliseconds, even if signals come meanwhile. */
void clock_sleep_ms(unsigned ms);

#endif
