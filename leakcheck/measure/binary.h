/*
 * Function, file and line of addresses, from the program's own file: its symbol table
 * and debug information, read with elfutils' libdw. A profile's first mapping says
 * where in the process the file was.
 */
#ifndef LEAKCHECK_MEASURE_BINARY_H
#define LEAKCHECK_MEASURE_BINARY_H

#include "leakcheck/measure/profile.h"

/* Completes those of the `count` frames whose address lies in the profile's program:
 * function where none is known yet, file and line where the file has them. The texts
 * live in the profile's arena. Debug information is looked for on this machine only.
 * Returns 0, -ENOMEM, or another -errno with the reason why the file cannot help: it
 * cannot be read, is no program, or is not what the profile's process runs. */
int binary_name(const char *path, struct profile *profile, struct frame *frames,
                size_t count, struct failure *failure);

#endif
