/*
 * Function names for a profile without names. First the server is asked at
 * /pprof/symbol (gperftools' protocol), then the program's own file is read. Only files
 * that the user named are opened, never a path from a profile.
 */
#ifndef LEAKCHECK_MEASURE_NAMES_H
#define LEAKCHECK_MEASURE_NAMES_H

#include "leakcheck/measure/server.h"

/* Gives frames to the stacks of `profile` that have none. A function without a known
 * name is not a failure. If no function at all can be named, server->names_reason says
 * why; otherwise it is "". Returns 0, or -errno if the server could not be reached or
 * memory was short. */
int server_name_functions(struct server *server, struct profile *profile,
                          struct failure *failure);

#endif
