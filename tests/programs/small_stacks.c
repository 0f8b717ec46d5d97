/*
 * Programs that are executed where the stack is small, with nothing below it: in a
 * child of clone, in a thread, and in a signal handler with a stack of its own, as
 * those that report a crash do.
 */
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, HANDLER_STACK = 8192 };

static volatile sig_atomic_t handled = -1;

/* The end that waitpid says, as one number. */
static int end_of(pid_t child)
{
    int status = -1;
    return waitpid(child, &status, 0) == child ? status : -1;
}

/* The lowest address. */
static char *stack_make(size_t bytes)
{
    char *memory =
        mmap(NULL, bytes + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED ||
        mprotect(memory + PAGE, bytes, PROT_READ | PROT_WRITE) != 0) {
        exit(1);
    }
    return memory + PAGE;
}

static int by_path(void *unused)
{
    (void)unused;
    execl("/bin/sh", "sh", "-c", "exit 3", (char *)NULL);
    _exit(9);
}

static int by_name(void *unused)
{
    (void)unused;
    execlp("sh", "sh", "-c", "exit 3", (char *)NULL);
    _exit(9);
}

static int cloned(int (*function)(void *))
{
    char *stack = stack_make(PAGE);
    return end_of(
        clone(function, stack + PAGE, SIGCHLD | CLONE_VM | CLONE_VFORK, NULL));
}

static void *spawn(void *ret_status)
{
    char *arguments[] = {"sh", "-c", "exit 3", NULL};
    pid_t child;
    if (posix_spawnp(&child, "sh", NULL, NULL, arguments, environ) == 0) {
        *(int *)ret_status = end_of(child);
    }
    return NULL;
}

static int spawned_in_thread(void)
{
    pthread_t thread;
    pthread_attr_t attributes;
    int status = -1;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN);
    if (pthread_create(&thread, &attributes, spawn, &status) == 0) {
        pthread_join(thread, NULL);
    }
    return status;
}

static void handler(int number)
{
    (void)number;
    pid_t child = fork();
    if (child == 0) {
        by_path(NULL);
    }
    handled = end_of(child);
}

static int executed_in_handler(void)
{
    const stack_t own = {.ss_sp = stack_make(HANDLER_STACK), .ss_size = HANDLER_STACK};
    const struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    if (sigaltstack(&own, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0) {
        raise(SIGUSR1);
    }
    return handled;
}

int main(void)
{
    printf("clone %x %x", cloned(by_path), cloned(by_name));
    printf(" thread %x handler %x\n", spawned_in_thread(), executed_in_handler());
    return 0;
}
