/*
 * A thread of the program that does the probe's work: it records nothing, keeps its
 * errno, and is not cancelled before it has left, as it may hold a lock. That may
 * happen anywhere in a signal handler that has interrupted a wait: during the wait
 * glibc lets a thread be cancelled at once.
 */
#ifndef PROBE_RECORDER_VISIT_H
#define PROBE_RECORDER_VISIT_H

#include <errno.h>
#include <pthread.h>

#include "probe/recorder/inside.h"

struct probe_visit {
    int error;
    int cancel_state;
    int cancel_type;
};

static inline struct probe_visit probe_visit_begin(void)
{
    struct probe_visit visit = {.error = errno};
    probe_inside++;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &visit.cancel_state);
    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &visit.cancel_type);
    return visit;
}

/* The thread may be cancelled in here, if that was asked for meanwhile: by the second
 * function. The first would leave no result for who joins the thread (glibc 2.36). */
static inline void probe_visit_end(struct probe_visit visit)
{
    probe_inside--;
    errno = visit.error;
    pthread_setcancelstate(visit.cancel_state, NULL);
    pthread_setcanceltype(visit.cancel_type, NULL);
}

#endif
