/*
 * A program with signals of its own. For each real-time signal in turn it installs a
 * handler, sends it to itself, and expects exactly its own handler to run; and it waits
 * for one with sigwaitinfo. Its masks are what it has set, and no signal that it has no
 * handler for has one. In the end it has taken them all. Writes "signals ok"; or what
 * is wrong, and exits 1.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static atomic_int got[65];

static void need(bool right, const char *what, int number)
{
    if (!right) {
        printf("wrong: %s, signal %d\n", what, number);
        fflush(stdout);
        _exit(1);
    }
}

static void on_signal(int number)
{
    atomic_fetch_add(&got[number], 1);
}

static void dispositions_check(void)
{
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++) {
        struct sigaction old;
        need(sigaction(number, NULL, &old) == 0, "sigaction", number);
        need(old.sa_handler == SIG_DFL, "a handler that is not ours", number);
    }
}

/* A thread of a program that blocks everything. */
static void *blocking_run(void *unused)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    need(pthread_sigmask(SIG_SETMASK, &all, &before) == 0, "pthread_sigmask", 0);
    for (int number = 1; number <= SIGRTMAX; number++) {
        need(sigismember(&before, number) != 1, "blocked at first", number);
    }
    need(pthread_sigmask(SIG_SETMASK, &before, &all) == 0, "pthread_sigmask", 0);
    need(sigismember(&all, SIGTERM) == 1, "not blocked", SIGTERM);
    return unused;
}

static void handler_check(int number)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct sigaction old;
    need(sigaction(number, &action, &old) == 0, "sigaction", number);
    need(old.sa_handler == SIG_DFL, "the handler before", number);
    int before = atomic_load(&got[number]);
    raise(number);
    need(atomic_load(&got[number]) == before + 1, "how often the handler ran", number);
    need(sigaction(number, NULL, &old) == 0, "sigaction", number);
    need(old.sa_handler == on_signal, "the handler now", number);
}

/* Blocks a signal in particular and waits for it. */
static void awaited_check(int number)
{
    struct timespec limit = {.tv_sec = 10};
    siginfo_t info;
    sigset_t set;
    sigset_t old;
    sigemptyset(&set);
    sigaddset(&set, number);
    need(sigprocmask(SIG_BLOCK, &set, NULL) == 0, "sigprocmask", number);
    raise(number);
    need(sigpending(&old) == 0 && sigismember(&old, number) == 1, "pending", number);
    need(sigtimedwait(&set, &info, &limit) == number, "sigtimedwait", number);
    need(sigprocmask(SIG_UNBLOCK, &set, &old) == 0, "sigprocmask", number);
    need(sigismember(&old, number) == 1, "the mask", number);
}

int main(int argc, char **argv)
{
    pthread_t thread;
    dispositions_check();
    pthread_create(&thread, NULL, blocking_run, NULL);
    pthread_join(thread, NULL);
    bool waits = argc > 1 && strcmp(argv[1], "wait") == 0;
    for (int number = SIGRTMAX; number >= SIGRTMIN; number--) {
        if (waits) {
            awaited_check(number);
        } else {
            handler_check(number);
        }
        usleep(2000);
    }
    printf("signals ok\n");
    return 0;
}
