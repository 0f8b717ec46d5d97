/*
 * Tests of tickers: they tick at their period, stop for good, share one thread that can
 * be ended, and leave no kernel timer behind. The program is linked with
 * -Wl,--wrap=pthread_create, so that a test can make the dispatcher's start fail.
 */
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/ticker.h"
#include "unit.h"

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*function)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*function)(void *), void *argument);

static int create_error; /* the result of pthread_create; 0: the real one is called */
static int created;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*function)(void *), void *argument)
{
    if (create_error != 0) {
        return create_error;
    }
    created++;
    return __real_pthread_create(thread, attributes, function, argument);
}

/* A ticker that counts. */
struct counter {
    struct ticker ticker;
    atomic_int ticks;
    atomic_int thread; /* thread id of the last tick */
    char thread_name[16];
};

static void count(void *argument)
{
    struct counter *counter = argument;
    if (atomic_load(&counter->ticks) == 0) {
        pthread_getname_np(pthread_self(), counter->thread_name,
                           sizeof(counter->thread_name));
    }
    atomic_store(&counter->thread, gettid());
    atomic_fetch_add(&counter->ticks, 1);
}

static void counter_start(struct counter *counter, unsigned period_ms)
{
    memset(counter, 0, sizeof(*counter));
    assert_int_equal(ticker_start(&counter->ticker, period_ms, count, counter), 0);
}

static bool has_three_ticks(void *argument)
{
    struct counter *counter = argument;
    return atomic_load(&counter->ticks) >= 3;
}

/* How many POSIX timers the process has; -1 if the kernel does not say. */
static int timers_count(void)
{
    FILE *file = fopen("/proc/self/timers", "r");
    if (file == NULL) {
        return -1;
    }
    int timers = 0;
    char line[256];
    while (fgets(line, sizeof(line), file) != NULL) {
        timers += strncmp(line, "ID:", 3) == 0;
    }
    fclose(file);
    return timers;
}

/* The first test, because no dispatcher may run yet. */
static void dispatcher_is_tried_again(void **state)
{
    (void)state;
    struct counter counter = {0};
    create_error = EAGAIN;
    assert_int_equal(ticker_start(&counter.ticker, 1, count, &counter), -EAGAIN);
    assert_int_equal(ticker_start(&counter.ticker, 1, count, &counter), -EAGAIN);
    create_error = 0;
    counter_start(&counter, 1);
    unit_wait_until(has_three_ticks, &counter);
    ticker_stop(&counter.ticker);
    assert_int_equal(created, 1);
}

static void ticks_at_its_pace(void **state)
{
    (void)state;
    struct counter counter;
    long start = unit_now_ms();
    counter_start(&counter, 10);
    unit_wait_until(has_three_ticks, &counter);
    int ticks = atomic_load(&counter.ticks);
    assert_true(unit_now_ms() - start >= 10 * ticks - 2);
    ticker_stop(&counter.ticker);
    assert_string_equal(counter.thread_name, "ticker");
}

static void tells_its_period(void **state)
{
    (void)state;
    struct counter counter;
    counter_start(&counter, 1500);
    assert_int_equal(ticker_period_ms(&counter.ticker), 1500);
    ticker_stop(&counter.ticker);
    struct ticker never_started = {0};
    assert_int_equal(ticker_period_ms(&never_started), 0);
}

static void never_ticks_after_stop(void **state)
{
    (void)state;
    struct counter counter;
    for (int i = 0; i < 20; i++) {
        counter_start(&counter, 1);
        unit_sleep_ms((unsigned)i % 4);
        ticker_stop(&counter.ticker);
        int ticks = atomic_load(&counter.ticks);
        unit_sleep_ms(5);
        assert_int_equal(atomic_load(&counter.ticks), ticks);
    }
}

static void first_tick_takes_a_period(void **state)
{
    (void)state;
    struct counter counter;
    counter_start(&counter, 60000);
    struct itimerspec left;
    assert_int_equal(timer_gettime(counter.ticker.timer, &left), 0);
    assert_int_equal(left.it_interval.tv_sec, 60);
    assert_int_equal(left.it_interval.tv_nsec, 0);
    assert_true(left.it_value.tv_sec >= 30);
    ticker_stop(&counter.ticker);
    assert_int_equal(atomic_load(&counter.ticks), 0);
    counter_start(&counter, 1);
    ticker_stop(&counter.ticker);
    counter_start(&counter, 61234);
    assert_int_equal(timer_gettime(counter.ticker.timer, &left), 0);
    assert_int_equal(left.it_interval.tv_sec, 61);
    assert_int_equal(left.it_interval.tv_nsec, 234000000);
    ticker_stop(&counter.ticker);
}

/* A ticker whose first tick lasts until the test ends it. */
struct slow {
    struct ticker ticker;
    sem_t begun;
    sem_t may_end;
    unsigned rest_ms; /* how much longer the tick lasts after may_end */
    atomic_bool ended;
};

static void tick_slowly(void *argument)
{
    struct slow *slow = argument;
    if (atomic_load(&slow->ended)) {
        return;
    }
    sem_post(&slow->begun);
    while (sem_wait(&slow->may_end) != 0 && errno == EINTR) {
    }
    unit_sleep_ms(slow->rest_ms);
    atomic_store(&slow->ended, true);
}

static struct slow *slow_start(unsigned rest_ms)
{
    struct slow *slow = calloc(1, sizeof(*slow));
    assert_non_null(slow);
    sem_init(&slow->begun, 0, 0);
    sem_init(&slow->may_end, 0, 0);
    slow->rest_ms = rest_ms;
    assert_int_equal(ticker_start(&slow->ticker, 1, tick_slowly, slow), 0);
    while (sem_wait(&slow->begun) != 0 && errno == EINTR) {
    }
    return slow;
}

static void slow_free(struct slow *slow)
{
    sem_destroy(&slow->begun);
    sem_destroy(&slow->may_end);
    free(slow);
}

static void stop_waits_for_running_tick(void **state)
{
    (void)state;
    struct slow *slow = slow_start(40);
    sem_post(&slow->may_end);
    ticker_stop(&slow->ticker);
    assert_true(atomic_load(&slow->ended));
    slow_free(slow);
}

static void late_signal_of_stopped_ticker_is_ignored(void **state)
{
    (void)state;
    struct slow *slow = slow_start(0);
    /* While the dispatcher is held, the signals of these are queued. */
    struct counter *counters = calloc(4, sizeof(*counters));
    assert_non_null(counters);
    for (int i = 0; i < 4; i++) {
        counter_start(&counters[i], 1);
    }
    unit_sleep_ms(10);
    for (int i = 0; i < 4; i++) {
        ticker_stop(&counters[i].ticker);
        assert_int_equal(atomic_load(&counters[i].ticks), 0);
    }
    /* Uses the same memory again: old signals must not reach the new ticker. */
    counter_start(&counters[0], 60000);
    sem_post(&slow->may_end);
    struct counter other;
    counter_start(&other, 1);
    ticker_stop(&slow->ticker);
    unit_wait_until(has_three_ticks, &other);
    ticker_stop(&other.ticker);
    assert_int_equal(atomic_load(&counters[0].ticks), 0);
    ticker_stop(&counters[0].ticker);
    free(counters);
    slow_free(slow);
}

static void two_hundred_at_once(void **state)
{
    (void)state;
    enum { MANY = 200 };
    int timers = timers_count();
    struct counter *counters = calloc(MANY, sizeof(*counters));
    assert_non_null(counters);
    for (int i = 0; i < MANY; i++) {
        counter_start(&counters[i], 20);
    }
    if (timers >= 0) {
        assert_int_equal(timers_count(), timers + MANY);
    }
    for (int i = 0; i < MANY; i++) {
        unit_wait_until(has_three_ticks, &counters[i]);
        assert_int_equal(atomic_load(&counters[i].thread),
                         atomic_load(&counters[0].thread));
    }
    /* Stops every second one first: the others in their chains must still be found. */
    for (int i = 0; i < MANY; i += 2) {
        ticker_stop(&counters[i].ticker);
    }
    for (int i = 1; i < MANY; i += 2) {
        atomic_store(&counters[i].ticks, 0);
    }
    for (int i = 1; i < MANY; i += 2) {
        unit_wait_until(has_three_ticks, &counters[i]);
        ticker_stop(&counters[i].ticker);
    }
    assert_int_equal(timers_count(), timers);
    assert_int_equal(created, 1);
    free(counters);
}

/* More tickers than the table has chains, so some share a chain. */
static void neighbours_are_told_apart(void **state)
{
    (void)state;
    enum { MANY = 600 };
    struct counter *counters = calloc(MANY, sizeof(*counters));
    assert_non_null(counters);
    for (int i = 0; i < MANY; i++) {
        counter_start(&counters[i], i % 100 == 7 ? 5 : 60000);
    }
    for (int i = 7; i < MANY; i += 100) {
        unit_wait_until(has_three_ticks, &counters[i]);
    }
    /* Stops the newest first; the other tests stop the oldest first. */
    for (int i = MANY - 1; i >= 0; i--) {
        ticker_stop(&counters[i].ticker);
        assert_true(i % 100 == 7 || atomic_load(&counters[i].ticks) == 0);
    }
    free(counters);
}

static void kernels_refusal_is_passed_on(void **state)
{
    (void)state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_SIGPENDING, &limit), 0);
    int timers = timers_count();
    /* A timer needs a place in the queue of signals; the limit allows none. */
    struct rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_SIGPENDING, &none), 0);
    struct counter counter = {0};
    assert_int_equal(ticker_start(&counter.ticker, 1, count, &counter), -EAGAIN);
    assert_int_equal(setrlimit(RLIMIT_SIGPENDING, &limit), 0);
    assert_int_equal(timers_count(), timers);
    counter_start(&counter, 1);
    unit_wait_until(has_three_ticks, &counter);
    ticker_stop(&counter.ticker);
}

static atomic_int handled;

static void on_signal(int signal)
{
    (void)signal;
    atomic_fetch_add(&handled, 1);
}

static void other_signals_do_not_end_dispatcher(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    assert_int_equal(sigaction(SIGRTMIN + 2, &action, NULL), 0);
    struct counter counter;
    counter_start(&counter, 1);
    unit_wait_until(has_three_ticks, &counter);
    pid_t thread = atomic_load(&counter.thread);
    ticker_stop(&counter.ticker);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(tgkill(getpid(), thread, SIGRTMIN + 2), 0);
        unit_sleep_ms(1);
    }
    /* A signal that no timer sent is ignored, even with a valid number. */
    struct counter silent;
    counter_start(&silent, 60000);
    siginfo_t info = {.si_code = SI_QUEUE};
    info.si_value.sival_int = silent.ticker.number;
    assert_int_equal(
        syscall(SYS_rt_tgsigqueueinfo, getpid(), thread, SIGRTMIN + 1, &info), 0);
    counter_start(&counter, 1);
    unit_wait_until(has_three_ticks, &counter);
    assert_int_equal(atomic_load(&counter.thread), thread);
    ticker_stop(&counter.ticker);
    ticker_stop(&silent.ticker);
    assert_int_equal(atomic_load(&silent.ticks), 0);
    assert_true(atomic_load(&handled) > 0);
}

static void *start_and_stop(void *argument)
{
    atomic_int *failures = argument;
    for (int i = 0; i < 50; i++) {
        struct counter *counter = calloc(1, sizeof(*counter));
        if (counter == NULL || ticker_start(&counter->ticker, 1, count, counter) != 0) {
            atomic_fetch_add(failures, 1);
            free(counter);
            continue;
        }
        unit_sleep_ms((unsigned)i % 3);
        ticker_stop(&counter->ticker);
        free(counter);
    }
    return NULL;
}

static void threads_start_and_stop(void **state)
{
    (void)state;
    atomic_int failures = 0;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        threads[i] = unit_thread(start_and_stop, &failures);
    }
    for (int i = 0; i < 4; i++) {
        unit_join(threads[i]);
    }
    assert_int_equal(atomic_load(&failures), 0);
}

static bool thread_is_gone(void *tid)
{
    return tgkill(getpid(), *(pid_t *)tid, 0) != 0;
}

/* Starts a ticker, waits until it ticks, and returns the dispatcher's thread id. */
static pid_t dispatcher_find(void)
{
    struct counter counter;
    counter_start(&counter, 1);
    unit_wait_until(has_three_ticks, &counter);
    ticker_stop(&counter.ticker);
    return atomic_load(&counter.thread);
}

static void finish_joins_the_dispatcher(void **state)
{
    (void)state;
    ticker_finish();
    int before = created;
    ticker_finish(); /* none is running, so this does nothing */
    for (int i = 1; i <= 20; i++) {
        assert_int_equal(ticker_prepare(), 0);
        assert_int_equal(created, before + i);
        pid_t dispatcher = i % 2 == 0 ? dispatcher_find() : 0;
        ticker_finish();
        /* The kernel keeps the thread id for a moment after pthread_join. */
        if (dispatcher != 0) {
            unit_wait_until(thread_is_gone, &dispatcher);
        }
    }
}

static void running_tickers_are_silent_after_finish(void **state)
{
    (void)state;
    enum { MANY = 200 };
    struct counter *counters = calloc(MANY, sizeof(*counters));
    assert_non_null(counters);
    for (int i = 0; i < MANY; i++) {
        counter_start(&counters[i], 1);
    }
    unit_wait_until(has_three_ticks, &counters[MANY - 1]);
    ticker_finish();
    int ticks = atomic_load(&counters[0].ticks);
    unit_sleep_ms(20);
    assert_int_equal(atomic_load(&counters[0].ticks), ticks);
    /* A new dispatcher serves new tickers, and the old tickers can be stopped. */
    assert_int_not_equal(dispatcher_find(), 0);
    assert_int_equal(atomic_load(&counters[0].ticks), ticks);
    for (int i = 0; i < MANY; i++) {
        ticker_stop(&counters[i].ticker);
    }
    free(counters);
}

static void finish_waits_for_running_tick(void **state)
{
    (void)state;
    struct slow *slow = slow_start(40);
    sem_post(&slow->may_end);
    ticker_finish();
    assert_true(atomic_load(&slow->ended));
    ticker_stop(&slow->ticker);
    slow_free(slow);
}

/* With a full queue of real-time signals none can be sent. */
static void finish_needs_no_room_for_signals(void **state)
{
    (void)state;
    assert_int_equal(ticker_prepare(), 0);
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_SIGPENDING, &limit), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_SIGPENDING, &none), 0);
    ticker_finish();
    assert_int_equal(setrlimit(RLIMIT_SIGPENDING, &limit), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dispatcher_is_tried_again),
        cmocka_unit_test(ticks_at_its_pace),
        cmocka_unit_test(tells_its_period),
        cmocka_unit_test(never_ticks_after_stop),
        cmocka_unit_test(first_tick_takes_a_period),
        cmocka_unit_test(stop_waits_for_running_tick),
        cmocka_unit_test(late_signal_of_stopped_ticker_is_ignored),
        cmocka_unit_test(two_hundred_at_once),
        cmocka_unit_test(neighbours_are_told_apart),
        cmocka_unit_test(kernels_refusal_is_passed_on),
        cmocka_unit_test(other_signals_do_not_end_dispatcher),
        cmocka_unit_test(threads_start_and_stop),
        cmocka_unit_test(finish_joins_the_dispatcher),
        cmocka_unit_test(running_tickers_are_silent_after_finish),
        cmocka_unit_test(finish_waits_for_running_tick),
        cmocka_unit_test(finish_needs_no_room_for_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
