/*
 * How a server stops: SIGTERM or SIGINT. After the first signal, main stops everything
 * in order. A second signal, or 3 s in which main does not finish, ends the process at
 * once, with exit status 0.
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
    sem_t asked;           /* posted at the first signal */
    atomic_bool over;      /* main has stopped everything */
};

/* Blocks the two signals in this thread and in all that it starts: they stay pending
 * until stop_start. Ignores the signals that only report a failed write (SIGPIPE,
 * SIGXFSZ). */
void stop_signals_block(void);

/* Starts the thread that waits for the signals. The caller owns `directory`; the thread
 * removes the directory only if it ends the process at once. Returns 0 or -errno. */
int stop_start(struct stop *stop, const char *directory);

/* Waits for the first signal. */
void stop_await(struct stop *stop);

/* Ends the thread. Call it when everything has been stopped, just before main
 * returns. */
void stop_finish(struct stop *stop);

#endif
