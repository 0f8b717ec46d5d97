/*
 * Threads that begin and end waits all the time, in every way in which a wait can end:
 * by itself, by cancelling the thread, by a jump out of a signal handler, with another
 * wait in a signal handler, in a child after fork. Runs for SECONDS (the argument),
 * then writes "storm ok" and how often each went round. Exits 1 if a call had a wrong
 * result.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static atomic_bool over;

static void need(bool right, const char *what)
{
    if (!right) {
        printf("wrong: %s: %s\n", what, strerror(errno));
        fflush(stdout);
        _exit(1);
    }
}

#define THREAD(name)                                                                   \
    static atomic_long name##_rounds;                                                  \
    void *name##_main(void *argument);                                                 \
    void *name##_main(void *argument)

/* -- a byte goes round between two threads -- */

static int there[2];
static int back[2];

THREAD(ping)
{
    char byte = 0;
    while (!atomic_load(&over)) {
        need(write(there[1], &byte, 1) == 1, "write");
        need(read(back[0], &byte, 1) == 1, "read");
        atomic_fetch_add(&ping_rounds, 1);
    }
    close(there[1]);
    return argument;
}

THREAD(pong)
{
    char byte;
    while (read(there[0], &byte, 1) == 1) {
        need(write(back[1], &byte, 1) == 1, "write");
        atomic_fetch_add(&pong_rounds, 1);
    }
    return argument;
}

/* -- waits that end by themselves -- */

THREAD(sleeper)
{
    while (!atomic_load(&over)) {
        errno = 4711;
        struct timespec time = {.tv_nsec = 1000};
        need(nanosleep(&time, NULL) == 0, "nanosleep");
        need(poll(NULL, 0, 0) == 0, "poll");
        need(errno == 4711, "errno after success");
        need(read(-1, &time, 1) == -1 && errno == EBADF, "errno of read");
        atomic_fetch_add(&sleeper_rounds, 1);
    }
    return argument;
}

/* -- threads that end in a wait -- */

static void cleaned(void *flag)
{
    *(bool *)flag = true;
}

static void *cancelled_run(void *flag)
{
    pthread_cleanup_push(cleaned, flag);
    for (;;) {
        pause();
    }
    pthread_cleanup_pop(0);
    return NULL;
}

/* Its name ends as those of the functions that threads begin with. */
void *cancelled_main(void *flag);
void *cancelled_main(void *flag)
{
    return cancelled_run(flag);
}

THREAD(canceller)
{
    while (!atomic_load(&over)) {
        bool flag = false;
        void *result = NULL;
        pthread_t thread;
        need(pthread_create(&thread, NULL, cancelled_main, &flag) == 0, "create");
        usleep(200);
        need(pthread_cancel(thread) == 0, "cancel");
        need(pthread_join(thread, &result) == 0, "join");
        need(result == PTHREAD_CANCELED && flag, "the cleanup of a cancelled wait");
        atomic_fetch_add(&canceller_rounds, 1);
    }
    return argument;
}

/* -- a jump out of a handler, out of a wait -- */

static _Thread_local sigjmp_buf place;
static _Thread_local volatile bool place_set;

static void on_jump(int number)
{
    (void)number;
    if (place_set) {
        place_set = false;
        siglongjmp(place, 1);
    }
}

THREAD(jumper)
{
    while (!atomic_load(&over)) {
        if (sigsetjmp(place, 1) == 0) {
            place_set = true;
            pause();
        }
        /* Uses the stack that the wait was on. */
        char text[2000];
        memset(text, 'x', sizeof(text));
        need(text[1999] == 'x', "memset");
        atomic_fetch_add(&jumper_rounds, 1);
    }
    return argument;
}

/* -- a wait in a handler, in a wait -- */

static void on_nested(int number)
{
    (void)number;
    int saved = errno;
    struct timespec time = {.tv_nsec = 50 * 1000};
    nanosleep(&time, NULL);
    errno = saved;
}

THREAD(nested)
{
    while (!atomic_load(&over)) {
        struct timespec time = {.tv_nsec = 300 * 1000};
        need(nanosleep(&time, NULL) == 0 || errno == EINTR, "nanosleep");
        atomic_fetch_add(&nested_rounds, 1);
    }
    return argument;
}

static pthread_t jumper;
static pthread_t nested;

THREAD(signaller)
{
    while (!atomic_load(&over)) {
        usleep(150);
        pthread_kill(jumper, SIGUSR1);
        pthread_kill(nested, SIGUSR2);
        atomic_fetch_add(&signaller_rounds, 1);
    }
    return argument;
}

/* -- a thread that never waits, and one that forks -- */

THREAD(busy)
{
    while (!atomic_load(&over)) {
        atomic_fetch_add(&busy_rounds, 1);
    }
    return argument;
}

THREAD(forker)
{
    while (!atomic_load(&over)) {
        pid_t child = fork();
        need(child >= 0, "fork");
        if (child == 0) {
            struct timespec time = {.tv_nsec = 1000};
            _exit(nanosleep(&time, NULL) == 0 ? 7 : 1);
        }
        int status = 0;
        need(waitpid(child, &status, 0) == child, "waitpid");
        need(WIFEXITED(status) && WEXITSTATUS(status) == 7, "the child's wait");
        atomic_fetch_add(&forker_rounds, 1);
        usleep(2000);
    }
    return argument;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_jump};
    sigaction(SIGUSR1, &action, NULL);
    action = (struct sigaction){.sa_handler = on_nested, .sa_flags = SA_RESTART};
    sigaction(SIGUSR2, &action, NULL);
    need(pipe(there) == 0 && pipe(back) == 0, "pipe");
    pthread_t threads[9];
    void *(*mains[])(void *) = {jumper_main,    nested_main, signaller_main,
                                ping_main,      pong_main,   sleeper_main,
                                canceller_main, busy_main,   forker_main};
    for (size_t i = 0; i < 9; i++) {
        need(pthread_create(&threads[i], NULL, mains[i], NULL) == 0, "create");
        jumper = threads[0];
        nested = threads[i > 0 ? 1 : 0];
    }
    sleep(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
    atomic_store(&over, true);
    pthread_join(threads[2], NULL);
    pthread_kill(jumper, SIGUSR1);
    for (size_t i = 0; i < 9; i++) {
        if (i != 2) {
            while (i == 0 && pthread_tryjoin_np(jumper, NULL) != 0) {
                pthread_kill(jumper, SIGUSR1);
                usleep(100);
            }
            if (i != 0) {
                pthread_join(threads[i], NULL);
            }
        }
    }
    printf("storm ok ping %ld pong %ld sleeper %ld canceller %ld jumper %ld nested %ld "
           "forker %ld\n",
           atomic_load(&ping_rounds), atomic_load(&pong_rounds),
           atomic_load(&sleeper_rounds), atomic_load(&canceller_rounds),
           atomic_load(&jumper_rounds), atomic_load(&nested_rounds),
           atomic_load(&forker_rounds));
    return 0;
}
