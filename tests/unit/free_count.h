/*
 * Counts calls of free, for tests of code that frees. The program is linked with
 * -Wl,--wrap=free, so every call of free comes to __wrap_free first.
 */
#ifndef LAB_TESTS_FREE_COUNT_H
#define LAB_TESTS_FREE_COUNT_H

#include <stdatomic.h>
#include <stddef.h>

void __real_free(void *pointer);
void __wrap_free(void *pointer);

static atomic_int frees; /* calls so far, without those for NULL */

void __wrap_free(void *pointer)
{
    if (pointer != NULL) {
        atomic_fetch_add(&frees, 1);
    }
    __real_free(pointer);
}

#endif
