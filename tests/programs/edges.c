/* Does, as its first argument says, what a library in somebody's program may not
 * expect. Each mode ends by itself; "ready" is printed before one waits for the end of
 * input. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

static void wait_for_end(void)
{
    char byte = 0;
    puts("ready");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
}

static void *spin(void *unused)
{
    for (volatile unsigned long i = 0;; i++) {
    }
    return unused;
}

static int spinning(void)
{
    pthread_t thread;
    return pthread_create(&thread, NULL, spin, NULL);
}

/* A child of vfork sets every signal back before it executes a program. */
static int reset_in_vfork(void)
{
    pid_t child = vfork();
    if (child == 0) {
        for (int number = 1; number < NSIG; number++) {
            signal(number, SIG_DFL);
        }
        execl("/bin/sh", "sh", "-c", "exit 3", (char *)NULL);
        _exit(1);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || spinning() != 0) {
        return 1;
    }
    wait_for_end();
    return WEXITSTATUS(status);
}

/* Executes itself `times` times. */
static int execute_again(int times)
{
    char rest[16];
    if (times == 0) {
        return 7;
    }
    if (spinning() != 0) {
        return 1;
    }
    for (volatile unsigned i = 0; i < 20 * 1000 * 1000; i++) {
    }
    snprintf(rest, sizeof(rest), "%d", times - 1);
    execl("/proc/self/exe", "edges", "exec", rest, (char *)NULL);
    return 1;
}

/* ---- The main thread ends ---- */

static pthread_t main_thread;

static void clean_up(void *unused)
{
    (void)unused;
    usleep(200 * 1000);
    puts("cleaned up");
    fflush(stdout);
}

static void *cancel_main(void *unused)
{
    pthread_cancel(main_thread);
    return unused;
}

static int end_main(const char *how)
{
    pthread_t thread;
    main_thread = pthread_self();
    pthread_cleanup_push(clean_up, NULL);
    if (strcmp(how, "pthread_exit") == 0) {
        pthread_exit(NULL);
    } else if (strcmp(how, "thrd_exit") == 0) {
        thrd_exit(0);
    } else if (pthread_create(&thread, NULL, cancel_main, NULL) == 0) {
        pause();
    }
    pthread_cleanup_pop(0);
    return 1;
}

/* ---- Descriptors ---- */

/* Takes every number that it may have for a file of its own, and looks whether it has
 * it. */
static int take_descriptors(void)
{
    struct stat own;
    struct stat found;
    int file = open("/dev/null", O_RDWR);
    if (fstat(file, &own) != 0) {
        return 1;
    }
    for (int number = file + 1; number < 1024; number++) {
        if (dup2(file, number) != number || fstat(number, &found) != 0 ||
            found.st_rdev != own.st_rdev) {
            printf("dup2 to %d: %s\n", number, strerror(errno));
            return 1;
        }
    }
    for (int number = file; number < 1024; number++) {
        if (close(number) != 0 && errno != EBADF) {
            return 1;
        }
    }
    wait_for_end();
    return 5;
}

/* Two children that wait until the end of input. */
static int fork_two(void)
{
    for (int i = 0; i < 2; i++) {
        if (fork() == 0) {
            wait_for_end();
            _exit(0);
        }
    }
    wait_for_end();
    while (wait(NULL) > 0) {
    }
    return 6;
}

/* ---- What another program or process begins ---- */

static atomic_int steps;

static void *spawn_cancelled(void *unused)
{
    char *arguments[] = {"true", NULL};
    pid_t child;
    while (steps == 0) {
        sched_yield();
    }
    if (posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environ) == 0) {
        steps++;
        waitpid(child, NULL, 0);
        steps++;
    }
    return unused;
}

/* posix_spawn is no cancellation point, waitpid is one. */
static int spawn_while_cancelled(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, spawn_cancelled, NULL) != 0) {
        return 1;
    }
    pthread_cancel(thread);
    steps = 1;
    pthread_join(thread, NULL);
    printf("steps %d\n", (int)steps);
    return 0;
}

/* The kernel allows this process no thread any more. */
static int begin_other_numbers(void)
{
    if (unshare(CLONE_NEWPID) != 0) {
        return 1;
    }
    wait_for_end();
    return 9;
}

static void *kill_child(void *child)
{
    while (steps == 0) {
        sched_yield();
    }
    for (volatile unsigned i = 0; i < 20 * 1000 * 1000; i++) {
    }
    kill(*(volatile pid_t *)child, SIGKILL);
    return NULL;
}

/* Where its wait is noted on the stack, the parent does not come. */
static __attribute__((noinline)) void die_waiting(void)
{
    volatile char room[64 * 1024];
    room[0] = 0;
    steps = 1 + room[0];
    for (;;) {
        pause();
    }
}

/* The child is killed while it waits, on the stack of this thread, which does not wait
 * afterwards. */
static int kill_in_vfork(void)
{
    static volatile pid_t child;
    pthread_t thread;
    int status;
    if (pthread_create(&thread, NULL, kill_child, (void *)&child) != 0) {
        return 1;
    }
    usleep(1000); /* this thread's waits are noted from now on */
    if (vfork() == 0) {
        child = getpid();
        die_waiting();
    }
    spin(&status);
    return 1;
}

int main(int count, char **arguments)
{
    const char *mode = count > 1 ? arguments[1] : "";
    if (strcmp(mode, "vfork") == 0) {
        return reset_in_vfork();
    }
    if (strcmp(mode, "exec") == 0 && count > 2) {
        return execute_again(atoi(arguments[2]));
    }
    if (strcmp(mode, "main") == 0 && count > 2) {
        return end_main(arguments[2]);
    }
    if (strcmp(mode, "dup2") == 0) {
        return take_descriptors();
    }
    if (strcmp(mode, "spawn") == 0) {
        return spawn_while_cancelled();
    }
    if (strcmp(mode, "newpid") == 0) {
        return begin_other_numbers();
    }
    if (strcmp(mode, "killed") == 0) {
        return kill_in_vfork();
    }
    if (strcmp(mode, "fork") == 0) {
        return fork_two();
    }
    return strcmp(mode, "nothing") == 0 ? 8 : 2;
}
