/*
 * Counts what is freed, for tests of code that frees: the program is linked with
 * -Wl,--wrap=free, so that every call of free comes here first.
 */
#ifndef LAB_TESTS_FREE_COUNT_H
#define LAB_TESTS_FREE_COUNT_H

#include <stdatomic.h>
#include <stddef.h>

void __real_free(void *pointer);
void __wrap_free(void *pointer);

static atomic_int frees; /* of anything but NULL, so far */

void __wrap_free(void *pointer)
{
    if (pointer != NULL) {
        atomic_fetch_add(&frees, 1);
    }
    __real_free(pointer);
}

#endif
