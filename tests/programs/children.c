/* 100 children each by fork, vfork with exec, posix_spawn and popen, while four threads
 * allocate. Prints what came back from them. */

#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TIMES = 100, THREADS = 4 };

extern char **environ;
static atomic_bool ends;

static void *churn(void *unused)
{
    (void)unused;
    char *volatile blocks[64] = {NULL};
    for (unsigned i = 0; !ends; i++) {
        unsigned slot = i % 64;
        free(blocks[slot]);
        blocks[slot] = calloc(1, 16 + i % 1000);
        if (i % 256 == 0) {
            usleep(200); /* the children need a processor, too */
        }
    }
    for (unsigned slot = 0; slot < 64; slot++) {
        free(blocks[slot]);
    }
    return NULL;
}

/* The exit status of a child, or 1000 if it ended in another way. */
static int status_of(pid_t child)
{
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
        return 1000;
    }
    return WEXITSTATUS(status);
}

static int forked(int number)
{
    pid_t child = fork();
    if (child == 0) {
        for (size_t bytes = 100; bytes <= 10000; bytes += 100) {
            char *volatile block = malloc(bytes);
            free(block);
        }
        _exit(number % 7);
    }
    return status_of(child);
}

static int vforked(void)
{
    pid_t child = vfork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", "exit 3", (char *)NULL);
        _exit(127);
    }
    return status_of(child);
}

static int spawned(void)
{
    pid_t child = -1;
    char *arguments[] = {"sh", "-c", "exit 4", NULL};
    if (posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ) != 0) {
        return 1000;
    }
    return status_of(child);
}

static int piped(void)
{
    FILE *pipe = popen("echo 5; exit 6", "r");
    int number = 0;
    if (pipe == NULL || fscanf(pipe, "%d", &number) != 1) {
        return 1000;
    }
    return number + WEXITSTATUS(pclose(pipe));
}

int main(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, churn, NULL) != 0) {
            return 1;
        }
    }
    int by_fork = 0, by_vfork = 0, by_spawn = 0, by_popen = 0;
    for (int i = 0; i < TIMES; i++) {
        by_fork += forked(i);
        by_vfork += vforked();
        by_spawn += spawned();
        by_popen += piped();
    }
    ends = true;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    printf("fork %d vfork %d posix_spawn %d popen %d\n", by_fork, by_vfork, by_spawn,
           by_popen);
    return 9;
}
