/*
 * A process on this machine, as /proc shows it: what its server does not say itself.
 * Sources: proc(5).
 */
#ifndef LEAKCHECK_MEASURE_PROCESS_H
#define LEAKCHECK_MEASURE_PROCESS_H

#include <stdbool.h>

#include "base/failure.h"
#include "leakcheck/measure/resource.h"

/* Lives in memory that the caller owns. */
struct process {
    int pid;
    uint64_t started; /* clock ticks since boot: tells it from a later process */
};

/* Finds the process. Returns 0, -ESRCH if there is none, or -errno. */
int process_open(struct process *process, int pid, struct failure *failure);

/* Counts its threads, descriptors, POSIX timers and resident bytes into those of
 * *resources; UNKNOWN where this user may not read them, others are left as they are.
 * Returns 0, or -ESRCH if the process has ended. */
int process_read(const struct process *process, struct resources *resources,
                 struct failure *failure);

/* Whether the process serves TCP port `port`: it holds the other end of a connection
 * from our port `client_port`, or, where that has been closed, it listens. Returns 0,
 * -EINVAL if other processes listen too, so that any may answer, or -errno. */
int process_serves(const struct process *process, unsigned port, unsigned client_port,
                   bool *ret_serves, struct failure *failure);

#endif
