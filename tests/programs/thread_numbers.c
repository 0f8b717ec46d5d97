/* Threads with the number of one that has ended and was not joined: in a namespace of
 * its own, where it may choose numbers (ns_last_pid in proc(5)). Says "ready", and
 * waits for the end of its input; exits 4 if it may not choose. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile pid_t number;
static sem_t said;
static sem_t never;

static void *say_number(void *unused)
{
    number = gettid();
    sem_post(&said);
    return unused;
}

static void *say_number_and_stay(void *unused)
{
    say_number(unused);
    while (sem_wait(&never) != 0) {
    }
    return unused;
}

static void nothing(union sigval unused)
{
    (void)unused;
}

/* The kernel tells when a thread began in steps of 10 ms. */
static void pause_a_little(void)
{
    usleep(50000);
}

static void start(void *(*routine)(void *))
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, routine, NULL) != 0) {
        _exit(3);
    }
    while (sem_wait(&said) != 0) {
    }
    pause_a_little();
}

/* The next thread gets this number, when it is free. */
static void choose(pid_t next)
{
    char text[16];
    char path[32];
    int length = snprintf(text, sizeof(text), "%d", (int)next - 1);
    snprintf(path, sizeof(path), "/proc/self/task/%d", (int)next);
    while (access(path, F_OK) == 0) {
        usleep(1000);
    }
    int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY);
    if (fd < 0 || write(fd, text, (size_t)length) != length) {
        perror("ns_last_pid");
        _exit(4);
    }
    close(fd);
}

__attribute__((noinline)) static pid_t ended_first(void)
{
    start(say_number);
    return number;
}

__attribute__((noinline)) static void stays_with_its_number(pid_t first)
{
    choose(first);
    start(say_number_and_stay);
    if (number != first) {
        _exit(5);
    }
}

__attribute__((noinline)) static pid_t ended_second(void)
{
    start(say_number);
    return number;
}

/* The C library starts the thread. */
static void unseen_with_its_number(pid_t second)
{
    timer_t timer;
    char path[32];
    struct sigevent event = {.sigev_notify = SIGEV_THREAD,
                             .sigev_notify_function = nothing};
    choose(second);
    snprintf(path, sizeof(path), "/proc/self/task/%d", (int)second);
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 || access(path, F_OK) != 0) {
        _exit(5);
    }
}

int main(void)
{
    sem_init(&said, 0, 0);
    sem_init(&never, 0, 0);
    stays_with_its_number(ended_first());
    unseen_with_its_number(ended_second());
    printf("ready %d\n", (int)getpid());
    fflush(stdout);
    while (getchar() != EOF) {
    }
    return 0;
}
