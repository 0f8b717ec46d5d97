/*
 * Shared by the unit tests: cmocka with the headers that it needs before it, threads
 * that must start and end, and waiting for a condition. cmocka's assertions work only
 * in the main thread: other threads leave their results in memory.
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

/* cmocka 2 has the type in the name; version 1 does not know these names. */
#ifdef assert_int_in_range
#undef assert_in_range
#define assert_in_range assert_int_in_range
#endif

/* The longest that a test waits for a condition. Only a failing test reaches it. */
#define UNIT_PATIENCE_MS 20000

static inline int64_t unit_now_ms(void)
{
    return clock_now_ms();
}

static inline void unit_sleep_ms(unsigned ms)
{
    clock_sleep_ms(ms);
}

/* Waits until condition(argument) is true. Fails the test after UNIT_PATIENCE_MS. */
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
