/*
 * Names for the functions of a profile that came without any: the server is asked at
 * /pprof/symbol (gperftools' protocol), then the program's own file is read. Only files
 * that the user named are opened, never a path that a profile holds.
 */
#ifndef LEAKCHECK_MEASURE_NAMES_H
#define LEAKCHECK_MEASURE_NAMES_H

#include "leakcheck/measure/server.h"

/* Gives frames to the stacks of `profile` that have none. A function that cannot be
 * named stays without a name, which is no failure. If none can be named,
 * server->names_reason says why; otherwise it is "". Returns 0, or -errno when the
 * server was out of reach or memory was short. */
int server_name_functions(struct server *server, struct profile *profile,
                          struct failure *failure);

#endif
