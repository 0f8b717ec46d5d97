/* A library that keeps blocks: in its own data, and in a thread-local variable. */

#include <stdlib.h>

#include "cases.h"

static void *volatile held;
static __thread void *volatile local;

/* The program is not linked with case_fill for libraries. */
static void *fill(void *block)
{
    for (int i = 0; i < 100; i++) {
        ((volatile char *)block)[i] = 'x';
    }
    return block;
}

NOINLINE void keep_in_static(void);
NOINLINE void keep_in_static(void)
{
    held = fill(malloc(100));
}

NOINLINE void keep_in_thread_local(void);
NOINLINE void keep_in_thread_local(void)
{
    local = fill(malloc(100));
}
