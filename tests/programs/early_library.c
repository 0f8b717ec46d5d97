/* A library whose constructor keeps a block, frees one and enlarges one. */
#include <stdlib.h>

void early_keep(void *block);

static void **kept;
static void *volatile enlarged;

__attribute__((constructor)) static void begin(void)
{
    kept = malloc(100);
    free(malloc(200));
    void *small = malloc(30);
    enlarged = realloc(small, 300);
}

void early_keep(void *block)
{
    kept[0] = block;
}
