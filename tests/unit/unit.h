/*
 * What the unit tests share: cmocka with the headers that it wants before it, threads
 * that must start and end, and waiting for a condition instead of for a time. cmocka's
 * assertions work in the main thread only: the others leave their results in memory.
 */
#ifndef LAB_TESTS_UNIT_H
#define LAB_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/clock.h"

/* cmocka 2 wants the type in the name, which version 1 does not know. */
#ifdef assert_int_in_range
#undef assert_in_range
#define assert_in_range assert_int_in_range
#endif

/* The longest that a test waits for what must happen; reached only when it fails. */
#define UNIT_PATIENCE_MS 20000

static inline int64_t unit_now_ms(void)
{
    return clock_now_ms();
}

static inline void unit_sleep_ms(unsigned ms)
{
    clock_sleep_ms(ms);
}

/* Fails the test unless condition(argument) comes true. */
static inline void unit_wait_until(bool (*condition)(void *argument), void *argument)
{
    int64_t end = unit_now_ms() + UNIT_PATIENCE_MS;
    while (!condition(argument)) {
        assert_true(unit_now_ms() < end);
        unit_sleep_ms(1);
    }
}

static inline pthread_t unit_thread(void *(*function)(void *argument), void *argument)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, function, argument), 0);
    return thread;
}

static inline void unit_join(pthread_t thread)
{
    assert_int_equal(pthread_join(thread, NULL), 0);
}

#endif
