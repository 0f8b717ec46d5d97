/*
 * How often a trace looks at the threads.
 */
#ifndef PROBE_TRACE_TRACE_RATE_H
#define PROBE_TRACE_TRACE_RATE_H

#include <stdint.h>

#define TRACE_RATE_HZ 10      /* at most */
#define TRACE_SHARE_PERCENT 3 /* of one processor that rounds may take */

/* The processor time of one signal, in nanoseconds: the thread wakes up, its handler
 * answers, and it goes back to sleep. An estimate. */
#define TRACE_SIGNAL_NS 25000

/* How long after the beginning of a round that used `cpu_ns` of processor time the next
 * one may begin. Both in nanoseconds; at least 1 / TRACE_RATE_HZ. */
int64_t probe_trace_interval(int64_t cpu_ns);

#endif
