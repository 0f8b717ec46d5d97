/*
 * A library whose constructor allocates a large block; and, with MAIN, a program that
 * frees it, and has stacks of threads and other blocks at its addresses then. It says
 * "ready PID", and waits for the end of its input.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *early_block(void);

#ifndef MAIN
static void *block;

__attribute__((constructor)) static void begin(void)
{
    block = malloc((size_t)40 << 20);
    memset(block, 1, 4096);
}

void *early_block(void)
{
    return block;
}
#else
enum { EACH = 3 };

static void *stay(void *unused)
{
    for (;;) {
        pause();
    }
    return unused;
}

__attribute__((noinline)) static void late_start(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, stay, NULL) != 0) {
        exit(1);
    }
}

int main(void)
{
    static char *volatile kept[EACH];
    char byte;
    free(early_block());
    for (int i = 0; i < EACH; i++) {
        late_start();
        kept[i] = malloc((size_t)3 << 20);
        if (kept[i] == NULL) {
            return 1;
        }
    }
    printf("ready %d\n", (int)getpid());
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    return 0;
}
#endif
