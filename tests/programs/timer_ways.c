/* Makes POSIX timers in every way, each way in a function of its own, deletes some,
 * says "ready", and waits for the end of its input. usage: timer_ways [fork]: forks,
 * and both say "ready". */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAY __attribute__((noinline)) static void
#define MUST(done)                                                                     \
    do {                                                                               \
        if (!(done)) {                                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #done);                 \
            _exit(3);                                                                  \
        }                                                                              \
    } while (0)

static void nothing(union sigval unused)
{
    (void)unused;
}

static timer_t make(clockid_t clock, struct sigevent event)
{
    timer_t timer;
    MUST(timer_create(clock, &event, &timer) == 0);
    return timer;
}

static const struct sigevent by_signal = {.sigev_notify = SIGEV_SIGNAL,
                                          .sigev_signo = SIGUSR1};
static const struct sigevent by_none = {.sigev_notify = SIGEV_NONE};
static const struct sigevent by_thread = {.sigev_notify = SIGEV_THREAD,
                                          .sigev_notify_function = nothing};

/* Every 100 milliseconds, from an hour on. */
WAY stays_signal(void)
{
    struct itimerspec set = {{0, 100000000}, {3600, 0}};
    timer_t timer;
    struct sigevent event = by_signal;
    MUST(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    MUST(timer_settime(timer, 0, &set, NULL) == 0);
}

WAY stays_default(void)
{
    timer_t timer;
    MUST(timer_create(CLOCK_REALTIME, NULL, &timer) == 0);
}

/* Once, in an hour. */
WAY stays_none(void)
{
    struct itimerspec set = {{0, 0}, {3600, 0}};
    timer_t timer;
    struct sigevent event = by_none;
    MUST(timer_create(CLOCK_BOOTTIME, &event, &timer) == 0);
    MUST(timer_settime(timer, 0, &set, NULL) == 0);
}

WAY stays_thread(void)
{
    timer_t timer;
    struct sigevent event = by_thread;
    MUST(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
}

/* The signal goes to one thread. */
WAY stays_thread_id(void)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL | SIGEV_THREAD_ID,
                             .sigev_signo = SIGUSR2};
    event._sigev_un._tid = gettid();
    MUST(timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) == 0);
}

WAY gone(void)
{
    MUST(timer_delete(make(CLOCK_MONOTONIC, by_signal)) == 0);
    MUST(timer_delete(make(CLOCK_MONOTONIC, by_none)) == 0);
    MUST(timer_delete(make(CLOCK_MONOTONIC, by_thread)) == 0);
    timer_t timer = make(CLOCK_MONOTONIC, by_signal);
    MUST(timer_delete(timer) == 0);
    errno = 0;
    MUST(timer_delete(timer) == -1 && errno == EINVAL);
}

WAY gone_refused(void)
{
    timer_t timer;
    struct sigevent event = by_signal;
    errno = 0;
    MUST(timer_create(12345, &event, &timer) == -1 && errno == EINVAL);
}

/* Not by a function of the C library. */
WAY stays_unseen(void)
{
    int number;
    MUST(syscall(SYS_timer_create, CLOCK_MONOTONIC, &by_none, &number) == 0);
}

static void repeat(unsigned times, void (*way)(void))
{
    for (unsigned i = 0; i < times; i++) {
        way();
    }
}

static void say_ready(void)
{
    printf("ready %d\n", (int)getpid());
    fflush(stdout);
    while (getchar() != EOF) {
    }
}

int main(int count, char **arguments)
{
    repeat(4, stays_signal);
    repeat(1, stays_default);
    repeat(3, stays_none);
    repeat(2, stays_thread);
    repeat(2, stays_thread_id);
    repeat(50, gone);
    repeat(3, gone_refused);
    repeat(1, stays_unseen);
    pid_t child = count > 1 && strcmp(arguments[1], "fork") == 0 ? fork() : -1;
    if (child == 0) {
        repeat(2, stays_none);
        /* The probe starts its thread in a child at the first wait. */
        sleep(0);
        say_ready();
        return 0;
    }
    say_ready();
    if (child > 0) {
        MUST(waitpid(child, NULL, 0) == child);
    }
    return 0;
}
