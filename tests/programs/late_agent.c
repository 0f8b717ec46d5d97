/*
 * Keeps the loader's lock until it is told to go on, and changes what its thread may do
 * meanwhile, for longer than the probe has patience with its own thread. Then it waits
 * for the end of its input.
 */
#include <link.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

static int keep(struct dl_phdr_info *object, size_t size, void *unused)
{
    char go;
    (void)object, (void)size, (void)unused;
    printf("ready %d\n", (int)getpid());
    fflush(stdout);
    if (read(STDIN_FILENO, &go, 1) != 1 || prctl(PR_SET_KEEPCAPS, 0L) != 0) {
        exit(1);
    }
    return 1;
}

int main(void)
{
    dl_iterate_phdr(keep, NULL);
    puts("gone on");
    fflush(stdout);
    while (poll(&input, 1, 20) == 0) {
    }
    return 0;
}
