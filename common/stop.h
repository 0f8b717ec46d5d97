/*
 * What stops a server: SIGTERM or SIGINT. The first lets main stop it in order. A
 * second one, or 3 s in which main does not come to its end, ends the process at once,
 * with exit status 0.
 */
#ifndef LAB_STOP_H
#define LAB_STOP_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

/* Lives in memory that the caller owns. The members are private. */
struct stop {
    pthread_t thread;      /* waits for the signals */
    const char *directory; /* removed if the process ends at once */
    sem_t asked;           /* posted by the first signal */
    atomic_bool over;      /* main has stopped all in order */
};

/* Blocks the two signals in this thread and all that it starts, so that they wait for
 * stop_start; ignores those that only say that a write has failed. */
void stop_signals_block(void);

/* Starts the thread that waits for the signals. `directory` stays the caller's, and is
 * removed only if the process ends at once. Returns 0 or -errno. */
int stop_start(struct stop *stop, const char *directory);

/* Waits for the first signal. */
void stop_await(struct stop *stop);

/* Called when all has been stopped: ends the thread, and main ends the process. */
void stop_finish(struct stop *stop);

#endif
