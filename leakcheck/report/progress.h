/*
 * One line on a terminal that shows how far the judge is. It is updated all the time,
 * and cleared at the end, also if a signal ends leakcheck. Nothing is written if the
 * stream is not a terminal.
 */
#ifndef LEAKCHECK_REPORT_PROGRESS_H
#define LEAKCHECK_REPORT_PROGRESS_H

#include <pthread.h>
#include <stdio.h>

#include "leakcheck/judge/gate_findings.h"
#include "leakcheck/judge/pair.h"

/* Lives in memory that the caller owns, and does not move while it runs. */
struct progress {
    FILE *stream;                /* NULL: nothing is shown */
    bool one_server;             /* `gate` is shown, and not `judge` */
    struct judge_progress judge; /* of pairs */
    struct gate_progress gate;   /* of one server */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ends;
    bool ended;
};

/* Shows `progress->judge`, or of one server `progress->gate`, on `stream` from now on.
 * If that fails, nothing is shown: no verdict depends on it. One at a time. */
void progress_start(struct progress *progress, FILE *stream, bool one_server);

/* Clears the line. */
void progress_stop(struct progress *progress);

#endif
