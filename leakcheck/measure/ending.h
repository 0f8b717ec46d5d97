/*
 * A program that is no server, run to its end under leakprobe --at-exit: what was lost
 * then, of itself and of the processes that it has forked.
 */
#ifndef LEAKCHECK_MEASURE_ENDING_H
#define LEAKCHECK_MEASURE_ENDING_H

#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "leakcheck/measure/profile.h"

#define ENDING_PROCESSES_MAX 1000

struct ending_process {
    int pid;
    struct profile profile; /* has_lost */
};

/* Lives in memory that the caller owns; { 0 } is empty. */
struct ending {
    int pid;    /* of the program itself */
    int status; /* of it, as waitpid(2) gives it */
    int64_t elapsed_ms;
    struct ending_process *processes; /* the program itself is the first */
    size_t count;
};

/* Runs `command`, a simple command of the shell, with this process's input and output.
 * It must end by `deadline_ms` (clock_now_ms). child_guard was called. Returns 0; or
 * -errno if what it lost could not be measured: it could not be started, ended by a
 * signal or _exit, did not end in time, or leakprobe says so. In all cases the caller
 * calls ending_release. */
int ending_run(struct ending *ending, const char *command, int64_t deadline_ms,
               struct failure *failure);

void ending_release(struct ending *ending);

#endif
