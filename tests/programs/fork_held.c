/*
 * What a library does that takes its lock around every fork, and works under it: the
 * handlers are registered before any library's constructor runs. One thread works, the
 * other one forks.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FORKS = 300 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool over;

static void take(void)
{
    pthread_mutex_lock(&lock);
}

static void give(void)
{
    pthread_mutex_unlock(&lock);
}

static void first(void)
{
    pthread_atfork(take, give, give);
}

__attribute__((section(".preinit_array"),
               used)) static void (*const begin)(void) = first;

static void *nothing(void *unused)
{
    return unused;
}

/* Allocates on 64 different stacks. */
static __attribute__((noinline)) void allocate(int way, int depth)
{
    if (depth == 0) {
        void *volatile block = malloc(10);
        free(block);
    } else if ((way >> depth & 1) != 0) {
        allocate(way, depth - 1);
        __asm__ volatile("");
    } else {
        allocate(way, depth - 1);
        __asm__ volatile("nop");
    }
}

static void *work(void *unused)
{
    for (int way = 0; !over; way++) {
        pthread_t thread;
        take();
        allocate(way, 6);
        int error = pthread_create(&thread, NULL, nothing, NULL);
        give();
        if (error == 0) {
            pthread_join(thread, NULL);
        }
    }
    return unused;
}

int main(void)
{
    pthread_t worker;
    int ended = 0;
    if (pthread_create(&worker, NULL, work, NULL) != 0) {
        return 1;
    }
    for (int i = 0; i < FORKS; i++) {
        int status = 1;
        pid_t child = fork();
        if (child == 0) {
            _exit(0);
        }
        ended += waitpid(child, &status, 0) == child && status == 0;
    }
    over = true;
    pthread_join(worker, NULL);
    printf("ended %d\n", ended);
    return 0;
}
