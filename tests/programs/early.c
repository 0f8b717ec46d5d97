/* Gives its only pointer to a block to a library, which keeps it in a block of its own
 * from before main. */
#include <stdlib.h>

void early_keep(void *block);

int main(void)
{
    early_keep(malloc(123));
    return 0;
}
