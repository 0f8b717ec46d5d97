/*
 * Time that only goes forward, and a pause that a signal doesn't cut short.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t clock_now_ms(void);

void clock_sleep_ms(unsigned ms);

#endif
