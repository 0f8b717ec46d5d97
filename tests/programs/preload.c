/* Says what the loader is told to load. */
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    const char *libraries = getenv("LD_PRELOAD");
    puts(libraries == NULL ? "none" : libraries);
    return 0;
}
