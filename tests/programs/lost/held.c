/* A library that keeps blocks: in its own data, and in a thread-local variable. */

#include <stdlib.h>

#include "cases.h"

static void *volatile held;
static __thread void *volatile local;

static NOINLINE void *keep_in_library(void)
{
    char *block = malloc(100);
    for (volatile int i = 0; block != NULL && i < 100; i++) {
        block[i] = 'x';
    }
    return block;
}

void hold_in_static(void);
void hold_in_static(void)
{
    held = keep_in_library();
}

void hold_in_thread_local(void);
void hold_in_thread_local(void)
{
    local = keep_in_library();
}
