/* Starts threads in every way, each way in a function of its own, lets some of them end
 * in every way, says "ready", and waits for the end of its input. usage: thread_ways
 * [fork]: forks, and both say "ready". */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <threads.h>
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

static sem_t never;
static unsigned alive = 1; /* how many threads the kernel is to list in the end */

/* -- what threads do -------------------------------------------------------------- */

static void *stay(void *unused)
{
    static void *volatile kept;
    kept = malloc(100);
    MUST(kept != NULL);
    while (sem_wait(&never) != 0) {
    }
    return unused;
}

static int stay_c11(void *unused)
{
    stay(unused);
    return 0;
}

static void *detach_and_stay(void *unused)
{
    MUST(pthread_detach(pthread_self()) == 0);
    return stay(unused);
}

static void *detach_and_end(void *unused)
{
    MUST(pthread_detach(pthread_self()) == 0);
    return unused;
}

static void *by_return(void *argument)
{
    return argument;
}

static void *by_exit(void *argument)
{
    pthread_exit(argument);
}

static int by_exit_c11(void *unused)
{
    (void)unused;
    thrd_exit(7);
}

static void *when_posted(void *semaphore)
{
    while (sem_wait(semaphore) != 0) {
    }
    return NULL;
}

static void *joins(void *thread)
{
    MUST(pthread_join(*(pthread_t *)thread, NULL) == 0);
    return NULL;
}

static void *creates_and_joins(void *unused)
{
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, by_return, NULL) == 0);
    MUST(pthread_join(thread, NULL) == 0);
    return unused;
}

/* -- threads that stay --------------------------------------------------------------
 */

WAY stays_joinable(void)
{
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, stay, NULL) == 0);
    alive++;
}

WAY stays_made_detached(void)
{
    pthread_t thread;
    pthread_attr_t attributes;
    MUST(pthread_attr_init(&attributes) == 0);
    MUST(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0);
    MUST(pthread_create(&thread, &attributes, stay, NULL) == 0);
    pthread_attr_destroy(&attributes);
    alive++;
}

WAY stays_detached(void)
{
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, stay, NULL) == 0);
    MUST(pthread_detach(thread) == 0);
    alive++;
}

WAY stays_detached_itself(void)
{
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, detach_and_stay, NULL) == 0);
    alive++;
}

WAY stays_c11(void)
{
    thrd_t thread;
    MUST(thrd_create(&thread, stay_c11, NULL) == thrd_success);
    alive++;
}

/* -- threads of which nothing is left -----------------------------------------------
 */

WAY gone_joined(void)
{
    pthread_t thread;
    void *result;
    MUST(pthread_create(&thread, NULL, by_return, &never) == 0);
    MUST(pthread_join(thread, &result) == 0 && result == &never);
}

WAY gone_cancelled(void)
{
    pthread_t thread;
    void *result;
    MUST(pthread_create(&thread, NULL, stay, NULL) == 0);
    MUST(pthread_cancel(thread) == 0);
    MUST(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
}

WAY gone_tried(void)
{
    pthread_t thread;
    sem_t end;
    MUST(sem_init(&end, 0, 0) == 0);
    MUST(pthread_create(&thread, NULL, when_posted, &end) == 0);
    MUST(pthread_tryjoin_np(thread, NULL) == EBUSY);
    MUST(sem_post(&end) == 0);
    int error = EBUSY;
    while (error == EBUSY) {
        error = pthread_tryjoin_np(thread, NULL);
    }
    MUST(error == 0);
}

WAY gone_timed(void)
{
    pthread_t thread;
    sem_t end;
    struct timespec until;
    MUST(sem_init(&end, 0, 0) == 0);
    MUST(pthread_create(&thread, NULL, when_posted, &end) == 0);
    clock_gettime(CLOCK_REALTIME, &until);
    MUST(pthread_timedjoin_np(thread, NULL, &until) == ETIMEDOUT);
    clock_gettime(CLOCK_MONOTONIC, &until);
    MUST(pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) == ETIMEDOUT);
    MUST(sem_post(&end) == 0);
    until.tv_sec += 100;
    MUST(pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) == 0);
}

WAY gone_joined_elsewhere(void)
{
    pthread_t thread;
    pthread_t joiner;
    MUST(pthread_create(&thread, NULL, by_exit, NULL) == 0);
    MUST(pthread_create(&joiner, NULL, joins, &thread) == 0);
    MUST(pthread_join(joiner, NULL) == 0);
    MUST(pthread_create(&thread, NULL, creates_and_joins, NULL) == 0);
    MUST(pthread_join(thread, NULL) == 0);
}

WAY gone_c11(void)
{
    thrd_t thread;
    int result;
    MUST(thrd_create(&thread, by_exit_c11, NULL) == thrd_success);
    MUST(thrd_join(thread, &result) == thrd_success && result == 7);
    MUST(thrd_create(&thread, by_exit_c11, NULL) == thrd_success);
    MUST(thrd_detach(thread) == thrd_success);
}

WAY gone_detached(void)
{
    pthread_t thread;
    pthread_attr_t attributes;
    MUST(pthread_attr_init(&attributes) == 0);
    MUST(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0);
    MUST(pthread_create(&thread, &attributes, by_exit, NULL) == 0);
    MUST(pthread_create(&thread, NULL, by_return, NULL) == 0);
    MUST(pthread_detach(thread) == 0);
    MUST(pthread_create(&thread, NULL, detach_and_end, NULL) == 0);
    /* Detached because the program has made that the default. */
    MUST(pthread_setattr_default_np(&attributes) == 0);
    MUST(pthread_create(&thread, NULL, by_return, NULL) == 0);
    MUST(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_JOINABLE) == 0);
    MUST(pthread_setattr_default_np(&attributes) == 0);
    pthread_attr_destroy(&attributes);
}

/* Never there. */
WAY gone_refused(void)
{
    pthread_t thread;
    pthread_attr_t attributes;
    MUST(pthread_attr_init(&attributes) == 0);
    MUST(pthread_attr_setstacksize(&attributes, (size_t)1 << 50) == 0);
    MUST(pthread_create(&thread, &attributes, stay, NULL) == EAGAIN);
    pthread_attr_destroy(&attributes);
}

/* -- threads that have ended, and that nobody has joined ----------------------------
 */

WAY ended_by_return(void)
{
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, by_return, NULL) == 0);
}

WAY ended_by_exit(void)
{
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, by_exit, NULL) == 0);
}

WAY ended_cancelled(void)
{
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, stay, NULL) == 0);
    MUST(pthread_cancel(thread) == 0);
}

WAY ended_c11(void)
{
    thrd_t thread;
    MUST(thrd_create(&thread, by_exit_c11, NULL) == thrd_success);
}

/* Waited for, but not long enough. */
WAY ended_too_late(void)
{
    static sem_t end;
    pthread_t thread;
    struct timespec until;
    MUST(sem_init(&end, 0, 0) == 0);
    MUST(pthread_create(&thread, NULL, when_posted, &end) == 0);
    clock_gettime(CLOCK_REALTIME, &until);
    MUST(pthread_timedjoin_np(thread, NULL, &until) == ETIMEDOUT);
    MUST(sem_post(&end) == 0);
}

/* -- ends here -----------------------------------------------------------------------
 */

static void nothing(union sigval unused)
{
    (void)unused;
}

/* The C library starts a thread for it, which no function of the program has made. */
static void timer_make(void)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD,
                             .sigev_notify_function = nothing};
    MUST(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    alive++;
}

static unsigned tasks(void)
{
    char line[256];
    unsigned count = 0;
    FILE *file = fopen("/proc/self/status", "r");
    MUST(file != NULL);
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "Threads:", 8) == 0) {
            count = (unsigned)strtoul(line + 8, NULL, 10);
        }
    }
    fclose(file);
    return count;
}

static void repeat(unsigned times, void (*way)(void))
{
    for (unsigned i = 0; i < times; i++) {
        way();
    }
}

/* Waits until all have ended that end; then for the end of the input. `own` threads are
 * the probe's. */
static void say_ready(unsigned own)
{
    const struct timespec pause = {0, 1000000};
    while (tasks() != alive + own) {
        nanosleep(&pause, NULL);
    }
    printf("ready %d\n", (int)getpid());
    fflush(stdout);
    while (getchar() != EOF) {
    }
}

int main(int count, char **arguments)
{
    unsigned own = tasks() - 1;
    MUST(sem_init(&never, 0, 0) == 0);
    repeat(3, stays_joinable);
    repeat(2, stays_made_detached);
    repeat(2, stays_detached);
    repeat(2, stays_detached_itself);
    repeat(2, stays_c11);
    repeat(50, gone_joined);
    repeat(5, gone_cancelled);
    repeat(5, gone_tried);
    repeat(5, gone_timed);
    repeat(50, gone_joined_elsewhere);
    repeat(5, gone_c11);
    repeat(50, gone_detached);
    repeat(5, gone_refused);
    repeat(4, ended_by_return);
    repeat(3, ended_by_exit);
    repeat(2, ended_cancelled);
    repeat(2, ended_c11);
    repeat(1, ended_too_late);
    timer_make();
    pid_t child = count > 1 && strcmp(arguments[1], "fork") == 0 ? fork() : -1;
    if (child == 0) {
        alive = 1;
        repeat(2, stays_joinable);
        repeat(1, ended_by_return);
        repeat(5, gone_joined);
        repeat(5, gone_detached);
        /* The probe starts its thread in a child at the first wait. */
        sleep(0);
        say_ready(own);
        return 0;
    }
    say_ready(own);
    if (child > 0) {
        MUST(waitpid(child, NULL, 0) == child);
    }
    return 0;
}
