/*
 * Shared by the tests of the recorder: the test program's own malloc is the probe's, as
 * it is in a program that is started with the library.
 */
#ifndef LAB_TESTS_RECORDER_H
#define LAB_TESTS_RECORDER_H

#include "unit.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/heap/heap_profile.h"
#include "probe/preload/malloc_calls.h"
#include "probe/recorder/inside.h"
#include "probe/recorder/recorder.h"

/* A sanitizer has a malloc of its own, which it needs before the program begins: these
 * tests are for builds without one. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RECORDER_TESTED false
#else
#define RECORDER_TESTED true
#endif

static inline void recorder_begin(enum recorder_mode mode, size_t period)
{
    if (!RECORDER_TESTED) {
        puts("left out: this build has a sanitizer's malloc");
        exit(EXIT_SUCCESS);
    }
    probe_malloc_prepare();
    assert_int_equal(probe_recorder_start(mode, period), 0);
    probe_active = true;
}

/* Adds up the values of the stacks whose frame number `at` is in the function whose
 * exported name is `name`. */
static inline void recorder_sum(bool raw, size_t at, const char *name,
                                int64_t ret_values[STACK_VALUES])
{
    struct stacks stacks;
    memset(ret_values, 0, sizeof(int64_t) * STACK_VALUES);
    assert_int_equal(probe_recorder_snapshot(raw, &stacks), 0);
    for (size_t i = 0; i < stacks.count; i++) {
        const struct stack *stack = probe_stacks_at(&stacks, i);
        Dl_info found = {0};
        if (stack->depth > at &&
            dladdr((void *)probe_stacks_frames(&stacks, stack)[at], &found) != 0 &&
            found.dli_sname != NULL && strcmp(found.dli_sname, name) == 0) {
            for (size_t value = 0; value < STACK_VALUES; value++) {
                ret_values[value] += stack->values[value];
            }
        }
    }
    probe_stacks_release(&stacks);
}

#endif
