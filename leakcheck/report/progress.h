/*
 * One line on a terminal that says how far the judge is, written anew as it gets on,
 * and wiped out in the end. Nothing is written where no terminal is.
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

/* Shows `progress->judge` on `stream` from now on. Where that cannot be, it does
 * without: no verdict depends on it. */
void progress_start(struct progress *progress, FILE *stream);

/* Wipes the line out. */
void progress_stop(struct progress *progress);

#endif
