/*
 * A thread that is not cancelled for a while: it has a lock of the probe's, which would
 * then be taken for ever. A function of the program's that the probe stands in front of
 * may be no place where threads are cancelled; but a signal handler that interrupts it
 * may call one that is, open for example. And a handler that has interrupted a wait of
 * the C library may be cancelled anywhere: glibc makes the wait asynchronous.
 */
#ifndef PROBE_RECORDER_UNCANCELLED_H
#define PROBE_RECORDER_UNCANCELLED_H

#include <pthread.h>

/* What was before. */
struct probe_uncancelled {
    int state;
    int type;
};

/* From one to the other the calling thread is not cancelled. May be nested, and called
 * in a signal handler; they keep errno. */
static inline struct probe_uncancelled probe_uncancelled_begin(void)
{
    struct probe_uncancelled before = {PTHREAD_CANCEL_ENABLE, PTHREAD_CANCEL_DEFERRED};
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before.state);
    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &before.type);
    return before;
}

/* The thread may end here. The type comes last: a thread that pthread_setcancelstate
 * ends leaves no result in glibc 2.36, one that pthread_setcanceltype ends does. */
static inline void probe_uncancelled_end(struct probe_uncancelled before)
{
    pthread_setcancelstate(before.state, NULL);
    pthread_setcanceltype(before.type, NULL);
}

#endif
