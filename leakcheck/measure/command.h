/*
 * One call that is a command instead of a request: `sh -c COMMAND`, run to its end.
 */
#ifndef LEAKCHECK_MEASURE_COMMAND_H
#define LEAKCHECK_MEASURE_COMMAND_H

#include <stdint.h>

#include "base/failure.h"

#define COMMAND_LIMIT_MS 60000

/* Runs the command, which may take COMMAND_LIMIT_MS and must end by `deadline_ms`
 * (clock_now_ms). What it leaves running in its process group is ended. child_guard was
 * called. Returns 0 if its exit status is 0, or -errno: the failure then has the last
 * lines that it printed. */
int command_run(const char *command, int64_t deadline_ms, struct failure *failure);

#endif
