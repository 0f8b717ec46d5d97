/*
 * Has children that look like others: one whose main thread has ended, and two that
 * tell nobody of their end. Then it says "ready PID", and waits for the end of its
 * input.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAKER static __attribute__((noipa)) pid_t
#define MUST(condition) must(condition, #condition, __LINE__)

static void must(bool condition, const char *text, int line)
{
    if (!condition) {
        fprintf(stderr, "child_doubts: line %d: %s: %s\n", line, text, strerror(errno));
        exit(1);
    }
}

static void *stay(void *unused)
{
    for (;;) {
        pause();
    }
    return unused;
}

/* Its main thread ends, another one goes on. */
MAKER by_fork_without_main(void)
{
    pid_t child = fork();
    if (child == 0) {
        pthread_t thread;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        MUST(pthread_create(&thread, NULL, stay, NULL) == 0);
        pthread_exit(NULL);
    }
    MUST(child > 0);
    return child;
}

/* Seen by nobody, and no signal tells of its end. */
MAKER by_call_of_its_own(void)
{
    pid_t child = (pid_t)syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        stay(NULL);
    }
    MUST(child > 0);
    return child;
}

static void main_end_await(pid_t child)
{
    char path[64];
    char state = 'R';
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)child);
    while (state != 'Z') {
        FILE *file = fopen(path, "r");
        MUST(file != NULL && fscanf(file, "%*d (child_doubts) %c", &state) == 1);
        fclose(file);
    }
    MUST(waitpid(child, NULL, WNOHANG) == 0);
}

int main(void)
{
    pid_t children[] = {by_fork_without_main(), by_call_of_its_own(),
                        by_call_of_its_own()};
    char byte;
    main_end_await(children[0]);
    printf("ready %d\n", (int)getpid());
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    for (size_t i = 0; i < sizeof(children) / sizeof(children[0]); i++) {
        kill(children[i], SIGKILL);
    }
    return 0;
}
