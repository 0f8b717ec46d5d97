/*
 * A program with a large heap for tests/bench/reach_bench.py: so many blocks of so many
 * bytes, in lists of different lengths that a table leads to, one list in 64 forgotten;
 * and so many threads, of which most wait, some sleep for short times, and two work.
 * Prints "ready", and ends with its input.
 *
 * usage: reach_heap BLOCKS BYTES THREADS
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LISTS = 65536, WORKING = 2, SLEEPING = 8, KEPT = 64 };

struct block {
    struct block *next;
    char contents[];
};

static struct block *lists[LISTS];
static struct block *volatile forgotten;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static atomic_uint threads_begun;

/* Puts a block into a list; that of the last ones nobody finds again. */
__attribute__((noinline)) static void block_add(size_t number, size_t bytes)
{
    struct block *block = malloc(bytes);
    size_t list = number * 2654435761U % LISTS;
    if (block == NULL) {
        abort();
    }
    memset(block, 'x', bytes);
    block->next = lists[list];
    lists[list] = block;
}

static void lists_forget(void)
{
    for (size_t i = 0; i < LISTS; i += 64) {
        forgotten = lists[i];
        lists[i] = NULL;
    }
    forgotten = NULL;
}

static void wait_forever(void)
{
    pthread_mutex_lock(&lock);
    for (;;) {
        pthread_cond_wait(&never, &lock);
    }
}

static void sleep_shortly(void)
{
    for (;;) {
        nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL);
    }
}

static void work(void)
{
    void *kept[KEPT] = {NULL};
    for (unsigned i = 0;; i++) {
        free(kept[i % KEPT]);
        kept[i % KEPT] = malloc(16 + i % 500);
        if (i % 1000 == 0) {
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
    }
}

static void *thread_run(void *argument)
{
    uintptr_t number = (uintptr_t)argument;
    threads_begun++;
    if (number < WORKING) {
        work();
    } else if (number < WORKING + SLEEPING) {
        sleep_shortly();
    } else {
        wait_forever();
    }
    return NULL;
}

int main(int count, char **arguments)
{
    if (count != 4) {
        fprintf(stderr, "usage: reach_heap BLOCKS BYTES THREADS\n");
        return 2;
    }
    size_t blocks = strtoul(arguments[1], NULL, 10);
    size_t bytes = strtoul(arguments[2], NULL, 10);
    uintptr_t threads = strtoul(arguments[3], NULL, 10);
    for (size_t i = 0; i < blocks; i++) {
        block_add(i, bytes);
    }
    lists_forget();
    for (uintptr_t i = 0; i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, thread_run, (void *)i) != 0) {
            return 1;
        }
    }
    while (threads_begun < threads) {
        usleep(1000);
    }
    printf("ready\n");
    fflush(stdout);
    char ignored;
    while (read(STDIN_FILENO, &ignored, 1) > 0) {
    }
    return 0;
}
