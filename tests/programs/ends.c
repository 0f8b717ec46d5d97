/*
 * Loses blocks, and ends in the way that the argument says. Each block has a size of
 * its own: 1000 is lost directly, 200 through it.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct pair {
    struct pair *volatile next;
    char rest[992];
};

static void *kept[4];
static atomic_int running;

__attribute__((noinline)) static void lose_pair(void)
{
    struct pair *volatile first = calloc(1, sizeof(*first));
    first->next = calloc(1, 200);
    memset(first->rest, 'x', sizeof(first->rest));
    /* cppcheck-suppress memleak ; as it should */
    first = NULL;
}

__attribute__((noinline)) static void stack_use(void)
{
    volatile char area[16384];
    for (size_t i = 0; i < sizeof(area); i++) {
        area[i] = 0;
    }
}

static void *thread_main(void *argument)
{
    (void)argument;
    void *volatile held = malloc(5000); /* only this thread's stack holds it */
    atomic_fetch_add(&running, 1);
    for (;;) {
        pause();
    }
    return held;
}

static void threads_start(void)
{
    pthread_t thread;
    for (int i = 0; i < 3; i++) {
        pthread_create(&thread, NULL, thread_main, NULL);
    }
    while (atomic_load(&running) < 3) {
        usleep(1000);
    }
}

/* Never stops for a signal: the probe would keep its own out of sigprocmask. */
static void *deaf_main(void *argument)
{
    sigset_t all;
    (void)argument;
    sigfillset(&all);
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, 8);
    atomic_fetch_add(&running, 1);
    for (volatile unsigned i = 0;; i++) {
    }
    return NULL;
}

static void at_exit(void)
{
    free(kept[0]);
    fputs("functions of atexit\n", stderr);
}

__attribute__((destructor)) static void at_the_end(void)
{
    free(kept[1]);
}

static void forked(void)
{
    pid_t child = fork();
    if (child == 0) {
        lose_pair();
        stack_use();
        exit(0);
    }
    waitpid(child, NULL, 0);
}

/* Ends at once; its child goes on until the parent has ended, or for ever. */
static void left_alone(bool ever)
{
    pid_t parent = getpid();
    if (fork() == 0) {
        while (ever || getppid() == parent) {
            usleep(1000);
        }
        lose_pair();
        stack_use();
    }
}

int main(int count, char **arguments)
{
    const char *way = count > 1 ? arguments[1] : "";
    kept[0] = malloc(300);
    kept[1] = malloc(301);
    kept[2] = malloc(302);
    atexit(at_exit);
    if (strcmp(way, "clean") != 0 && strcmp(way, "forked") != 0 &&
        strcmp(way, "fails") != 0 && strncmp(way, "leaves", 6) != 0) {
        lose_pair();
        stack_use();
    }
    if (strcmp(way, "threads") == 0) {
        threads_start();
    } else if (strcmp(way, "deaf") == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, deaf_main, NULL);
        while (atomic_load(&running) == 0) {
            usleep(1000);
        }
    } else if (strcmp(way, "forked") == 0) {
        forked();
    } else if (strncmp(way, "leaves", 6) == 0) {
        left_alone(strcmp(way, "leaves-running") == 0);
    } else if (strcmp(way, "_exit") == 0) {
        _exit(0);
    } else if (strcmp(way, "killed") == 0) {
        raise(SIGKILL);
    } else if (strcmp(way, "crash") == 0) {
        abort();
    } else if (strcmp(way, "reads") == 0) {
        char line[100];
        fputs(fgets(line, sizeof(line), stdin) == NULL ? "nothing\n" : line, stdout);
    } else if (strcmp(way, "waits") == 0) {
        fputs("ready\n", stderr);
        pause();
    }
    return strcmp(way, "fails") == 0 || strcmp(way, "both") == 0 ? 3 : 0;
}
