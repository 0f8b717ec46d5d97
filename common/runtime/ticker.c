/*
 * The kernel sends the signal of each timer to the dispatcher thread alone
 * (SIGEV_THREAD_ID, see timer_create(2)), with the ticker's number in it. That thread
 * keeps the signal blocked and takes it with sigwaitinfo, so no signal handler runs.
 */
#include "runtime/ticker.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/clock.h"

/* glibc 2.36 has SIGEV_THREAD_ID, but no name for the member that it needs. */
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define TICKER_SIGNAL (SIGRTMIN + 1)
/* Ends the dispatcher. It is not a real-time signal: those are queued, and with many
 * tickers the queue may be full. */
#define FINISH_SIGNAL SIGUSR1

#define TABLE_CHAINS 256

/* The lock guards all of these. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct ticker *table[TABLE_CHAINS]; /* the running tickers, by number */
static int last_number;
static int ticking; /* the number of the ticker whose tick runs now; 0: none */
static bool dispatcher_started;
static pthread_t dispatcher_thread;
static pid_t dispatcher; /* its thread id; 0 until it runs */

static atomic_bool finishing;

static struct ticker **chain_of(int number)
{
    return &table[number % TABLE_CHAINS];
}

static struct ticker *table_find(int number)
{
    struct ticker *ticker = *chain_of(number);
    while (ticker != NULL && ticker->number != number) {
        ticker = ticker->next;
    }
    return ticker;
}

static void table_add(struct ticker *ticker)
{
    ticker->next = *chain_of(ticker->number);
    *chain_of(ticker->number) = ticker;
}

static void table_remove(struct ticker *ticker)
{
    struct ticker **link = chain_of(ticker->number);
    while (*link != ticker) {
        assert(*link != NULL);
        link = &(*link)->next;
    }
    *link = ticker->next;
}

/* The next number. After the last one, numbers start again at 1, without those of
 * tickers that still run. */
static int number_next(void)
{
    do {
        last_number = last_number == INT_MAX ? 1 : last_number + 1;
    } while (table_find(last_number) != NULL);
    return last_number;
}

/* Calls the tick of the ticker with that number, unless it has been stopped. */
static void dispatch(int number)
{
    pthread_mutex_lock(&lock);
    struct ticker *ticker = table_find(number);
    if (ticker == NULL) {
        pthread_mutex_unlock(&lock);
        return;
    }
    void (*tick)(void *) = ticker->tick;
    void *argument = ticker->argument;
    ticking = number;
    pthread_mutex_unlock(&lock);

    tick(argument);

    pthread_mutex_lock(&lock);
    ticking = 0;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void *dispatcher_run(void *unused)
{
    (void)unused;
    pthread_setname_np(pthread_self(), "ticker");
    pthread_mutex_lock(&lock);
    dispatcher = gettid();
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);

    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, TICKER_SIGNAL);
    sigaddset(&signals, FINISH_SIGNAL);
    while (!atomic_load(&finishing)) {
        siginfo_t info;
        /* Fails with EINTR after the handler of another signal: then it waits again. */
        if (sigwaitinfo(&signals, &info) == TICKER_SIGNAL && info.si_code == SI_TIMER) {
            dispatch(info.si_value.sival_int);
        }
    }
    return NULL;
}

/* Starts the dispatcher with its signals blocked from its first moment, because their
 * default action ends the process. Returns 0 or -errno. */
static int dispatcher_create(void)
{
    sigset_t signals;
    sigset_t before;
    sigemptyset(&signals);
    sigaddset(&signals, TICKER_SIGNAL);
    sigaddset(&signals, FINISH_SIGNAL);
    pthread_sigmask(SIG_BLOCK, &signals, &before);
    int error = pthread_create(&dispatcher_thread, NULL, dispatcher_run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

/* Makes sure that the dispatcher runs and its thread id is known. If it could not be
 * started, the next ticker tries again. */
static int dispatcher_need_locked(void)
{
    if (!dispatcher_started) {
        int error = dispatcher_create();
        if (error != 0) {
            return error;
        }
        dispatcher_started = true;
    }
    while (dispatcher == 0) {
        pthread_cond_wait(&changed, &lock);
    }
    return 0;
}

int ticker_prepare(void)
{
    pthread_mutex_lock(&lock);
    int error = dispatcher_need_locked();
    pthread_mutex_unlock(&lock);
    return error;
}

void ticker_finish(void)
{
    pthread_mutex_lock(&lock);
    bool started = dispatcher_started;
    pthread_mutex_unlock(&lock);
    if (!started) {
        return;
    }
    atomic_store(&finishing, true);
    pthread_kill(dispatcher_thread, FINISH_SIGNAL);
    pthread_join(dispatcher_thread, NULL);
    atomic_store(&finishing, false);
    pthread_mutex_lock(&lock);
    dispatcher_started = false;
    dispatcher = 0;
    pthread_mutex_unlock(&lock);
}

int ticker_start(struct ticker *ticker, unsigned period_ms,
                 void (*tick)(void *argument), void *argument)
{
    assert(period_ms > 0 && tick != NULL);
    struct timespec period = {.tv_sec = period_ms / 1000,
                              .tv_nsec = (long)(period_ms % 1000) * 1000000};
    struct itimerspec times = {.it_interval = period, .it_value = period};
    pthread_mutex_lock(&lock);
    int error = dispatcher_need_locked();
    if (error != 0) {
        goto done;
    }
    *ticker =
        (struct ticker){.number = number_next(), .tick = tick, .argument = argument};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID,
                             .sigev_signo = TICKER_SIGNAL,
                             .sigev_value.sival_int = ticker->number};
    event.sigev_notify_thread_id = dispatcher;
    if (timer_create(CLOCK_MONOTONIC, &event, &ticker->timer) != 0) {
        error = -errno;
        goto done;
    }
    if (timer_settime(ticker->timer, 0, &times, NULL) != 0) {
        error = -errno;
        timer_delete(ticker->timer);
        goto done;
    }
    table_add(ticker);
done:
    pthread_mutex_unlock(&lock);
    return error;
}

void ticker_stop(struct ticker *ticker)
{
    timer_delete(ticker->timer);
    pthread_mutex_lock(&lock);
    assert(gettid() != dispatcher);
    table_remove(ticker);
    /* A signal that is still queued finds no ticker; a tick that runs is awaited. */
    while (ticking == ticker->number) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
}

unsigned ticker_period_ms(const struct ticker *ticker)
{
    struct itimerspec times;
    if (ticker->tick == NULL || timer_gettime(ticker->timer, &times) != 0) {
        return 0;
    }
    return (unsigned)(times.it_interval.tv_sec * 1000 +
                      times.it_interval.tv_nsec / CLOCK_NS_PER_MS);
}
