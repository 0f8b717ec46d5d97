/*
 * One line on a terminal that shows how far the judge is. It is updated all the time,
 * and cleared at the end. Nothing is written if the stream is not a terminal.
 */
#ifndef LEAKCHECK_REPORT_PROGRESS_H
#define LEAKCHECK_REPORT_PROGRESS_H

#include <pthread.h>
#include <stdio.h>

#include "leakcheck/judge/pair.h"

/* Lives in memory that the caller owns, and does not move while it runs. */
struct progress {
    FILE *stream; /* NULL: nothing is shown */
    struct judge_progress judge;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ends;
    bool ended;
};

/* Shows `progress->judge` on `stream` from now on. If that fails, nothing is
 * shown: no verdict depends on it. */
void progress_start(struct progress *progress, FILE *stream);

/* Clears the line. */
void progress_stop(struct progress *progress);

#endif
