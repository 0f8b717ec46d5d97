/* A library that a program opens and closes: one block that it gives back, and one that
 * outlives it. */

#include <stdlib.h>
#include <string.h>

void plugin_work(void);
char *plugin_keep(size_t bytes);

void plugin_work(void)
{
    char *volatile block = malloc(3000);
    if (block != NULL) {
        memset(block, 1, 3000);
    }
    free(block);
}

char *plugin_keep(size_t bytes)
{
    char *volatile block = malloc(bytes);
    if (block != NULL) {
        memset(block, 2, bytes);
    }
    return block;
}
