/*
 * What the child of vfork does is not its parent's, although it has the parent's
 * memory; and a signal handler of the parent runs before vfork has returned there.
 * Prints which function has left how many children, living and ended: "vfork_that_works
 * 1 0". Then it says "ready PID", and waits for the end of its input.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAY static __attribute__((noipa)) void
#define MUST(condition) must(condition, #condition, __LINE__)

static char *const sleeps[] = {"sleep", "300", NULL};

static void must(bool condition, const char *text, int line)
{
    if (!condition) {
        fprintf(stderr, "vfork_ways: line %d: %s: %s\n", line, text, strerror(errno));
        exit(1);
    }
}

static int handed = -1;
static pid_t sleeper;

static __attribute__((noipa)) int open_for_handler(void)
{
    return open("/dev/null", O_RDONLY);
}

static __attribute__((noipa)) int open_in_handler(void)
{
    return open("/dev/zero", O_RDONLY);
}

/* Runs in the parent, before vfork has returned there. */
static void on_end(int number)
{
    (void)number;
    int saved = errno;
    int status;
    while (waitpid(-1, &status, WNOHANG) > 0) {
    }
    if (handed >= 0) {
        close(handed);
        MUST(open_in_handler() == handed);
        handed = -1;
    }
    errno = saved;
}

WAY vfork_with_handler(void)
{
    handed = open_for_handler();
    signal(SIGCHLD, on_end);
    pid_t parent = getpid();
    pid_t child = vfork(); /* NOLINT */
    if (child == 0) {
        kill(parent, SIGCHLD);
        _exit(0);
    }
    MUST(child > 0 && handed < 0);
    while (waitpid(child, NULL, 0) != child && errno != ECHILD) {
    }
    signal(SIGCHLD, SIG_DFL);
}

WAY open_some(void)
{
    for (int i = 0; i < 5; i++) {
        MUST(open("/dev/null", O_RDONLY) >= 0);
    }
}

WAY map_some(void)
{
    MUST(mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

/* It closes all that the parent has open, opens other things, and has children. */
WAY vfork_that_works(void)
{
    pid_t child = vfork(); /* NOLINT */
    if (child == 0) {
        for (int fd = 3; fd < 900; fd++) {
            close(fd);
        }
        for (int i = 0; i < 20; i++) {
            open("/dev/zero", O_RDONLY); /* NOLINT */
        }
        pid_t grandchild = vfork(); /* NOLINT */
        if (grandchild == 0) {
            close(3);
            _exit(0);
        }
        waitpid(grandchild, NULL, 0);
        open("/dev/zero", O_RDONLY); /* NOLINT */
        execv("/bin/sleep", sleeps);
        _exit(1);
    }
    MUST(child > 0);
    sleeper = child;
    printf("%s 1 0\n", __func__);
}

int main(void)
{
    char byte;
    open_some();
    vfork_with_handler();
    vfork_that_works();
    open_some();
    map_some();
    printf("ready %d\n", (int)getpid());
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    kill(sleeper, SIGKILL);
    return 0;
}
