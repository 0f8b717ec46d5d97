/*
 * A process on this machine, as /proc shows it: counts that its server does not report.
 * Source: proc(5).
 */
#ifndef LEAKCHECK_MEASURE_PROCESS_H
#define LEAKCHECK_MEASURE_PROCESS_H

#include <stdbool.h>

#include "base/failure.h"
#include "leakcheck/measure/resource.h"

/* Lives in memory that the caller owns. */
struct process {
    int pid;
    uint64_t started; /* clock ticks since boot; differs in a later process with the
                         same id */
};

/* Finds the process. Returns 0, -ESRCH if there is none, or another -errno. */
int process_open(struct process *process, int pid, struct failure *failure);

/* Writes the numbers of threads, descriptors, POSIX timers, mappings and children and
 * the resident set (bytes) to *resources; UNKNOWN for a value that this user may not
 * read. Other members do not change. Returns 0, or -ESRCH if the process has ended. */
int process_read(const struct process *process, struct resources *resources,
                 struct failure *failure);

/* Whether the process serves TCP port `port`: it has the other end of a connection from
 * our port `client_port`; or, if that is closed, it listens. Returns 0; -EINVAL if
 * other processes listen too, because any of them may answer; or another -errno. */
int process_serves(const struct process *process, unsigned port, unsigned client_port,
                   bool *ret_serves, struct failure *failure);

#endif
