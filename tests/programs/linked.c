/* A program that is linked with leakprobe: prints where its debug port is, and ends
 * when its input does. Linked without it, it says so. */

#include <leakprobe.h>
#include <stdio.h>

int main(void)
{
    if (leakprobe_url == NULL) {
        puts("none");
        return 0;
    }
    printf("%s %s\n", leakprobe_version(), leakprobe_url());
    fflush(stdout);
    return getchar() == EOF ? 0 : 1;
}
