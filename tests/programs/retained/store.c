/* A library that keeps blocks: linked, opened later, in an archive, or stripped. */
#include <stdlib.h>

#include "store.h"

static void *volatile store_kept;
static _Thread_local void *volatile store_own;

void store_keep(void *block)
{
    store_kept = block;
}

void store_keep_own(void *block)
{
    store_own = block;
}
