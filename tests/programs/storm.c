/* Four threads allocate, free and fork, until the input ends. Of the children one kind
 * waits a while, so that it gets a debug port, one allocates, one executes another
 * program. Prints the number of children, and exits 9; 1 if one ended badly. */

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, BLOCKS = 256, ROUND = 2000, GOOD = 3 };

static atomic_bool ends;
static atomic_int children;
static atomic_int bad;

__attribute__((noinline)) static void *deep(unsigned levels, size_t bytes)
{
    void *volatile block = levels == 0 ? malloc(bytes) : deep(levels - 1, bytes);
    return block;
}

static void churn(void **blocks, unsigned start)
{
    for (unsigned i = start; i < start + ROUND; i++) {
        free(blocks[i % BLOCKS]);
        blocks[i % BLOCKS] = deep(i % 12, 16 + i % 3000);
    }
}

/* What a child does: those that wait get a debug port. */
static void child_run(int number, void **blocks)
{
    switch (number % 4) {
    case 0:
        poll(NULL, 0, 300);
        break;
    case 1:
        churn(blocks, 0);
        poll(NULL, 0, 1);
        break;
    case 2:
        execl("/bin/sh", "sh", "-c", "exit 3", (char *)NULL);
        _exit(1);
    default:
        churn(blocks, 0);
    }
    _exit(GOOD);
}

static void *storm(void *unused)
{
    void *blocks[BLOCKS] = {NULL};
    for (unsigned round = 0; !ends; round++) {
        churn(blocks, round);
        int number = atomic_fetch_add(&children, 1);
        pid_t child = fork();
        if (child == 0) {
            child_run(number, blocks);
        }
        int status = 0;
        if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
            WEXITSTATUS(status) != GOOD) {
            fprintf(stderr, "storm: child %d: status %#x\n", (int)child,
                    (unsigned)status);
            bad++;
        }
    }
    for (int i = 0; i < BLOCKS; i++) {
        free(blocks[i]);
    }
    return unused;
}

int main(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, storm, NULL) != 0) {
            return 1;
        }
    }
    puts("ready");
    fflush(stdout);
    char byte = 0;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    ends = true;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    printf("children %d\n", children);
    return bad == 0 ? 9 : 1;
}
