/*
 * A ticker calls a function again and again, from a POSIX timer (timer_create(2)),
 * until it is stopped, as Go's time.Ticker sends on its channel. Each ticker has a
 * timer; one dispatcher thread, started with the first ticker, serves them all.
 */
#ifndef LAB_RUNTIME_TICKER_H
#define LAB_RUNTIME_TICKER_H

#include <time.h>

/* Lives in memory that the caller owns, until ticker_stop. The members are private. */
struct ticker {
    timer_t timer;
    int number; /* carried by the signal; a stopped ticker's is not used again */
    void (*tick)(void *argument);
    void *argument;
    struct ticker *next; /* in the table of running tickers */
};

/* Starts the dispatcher now, instead of in the first ticker_start. After that a ticker
 * adds a timer, but no thread. Returns 0 or -errno from pthread_create. */
int ticker_prepare(void);

/* Stops the dispatcher and waits for it; a tick that is running ends first. Tickers
 * that have not been stopped do not tick any more; ticker_stop may still be called for
 * them. Does nothing if no dispatcher runs. ticker_start later starts a new one. Must
 * not be called from a tick, nor while another thread starts a ticker. */
void ticker_finish(void);

/* Starts a ticker: tick(argument) is called from the dispatcher thread every
 * `period_ms` milliseconds (at least 1), first after one period. Ticks that are due
 * while one runs become one tick. Returns 0, or -errno from timer_create (-EAGAIN:
 * too many timers, see RLIMIT_SIGPENDING) or pthread_create. */
int ticker_start(struct ticker *ticker, unsigned period_ms,
                 void (*tick)(void *argument), void *argument);

/* The period of a ticker that runs, in milliseconds, as its timer says; 0 for a
 * ticker { 0 }, which was never started. */
unsigned ticker_period_ms(const struct ticker *ticker);

/* Deletes the timer. When it returns, `tick` is not running and will not run again.
 * Must not be called from `tick`, nor with a lock held that `tick` takes. */
void ticker_stop(struct ticker *ticker);

#endif
