/*
 * Function, file and line of addresses, from the program's own file: its symbol table
 * and debug information, read with elfutils' libdw. The profile's first mapping says
 * where in the process the file was.
 */
#ifndef LEAKCHECK_MEASURE_BINARY_H
#define LEAKCHECK_MEASURE_BINARY_H

#include "leakcheck/measure/profile.h"

/* Fills in those of the `count` frames whose address is in the profile's program: the
 * function if it is not known yet, file and line if the debug information has them. The
 * profile's arena owns the texts. Debug information is searched on this machine only.
 * Returns 0; -ENOMEM; or another -errno if the file is of no use, with the reason in
 * `failure`: it cannot be read, is not a program, or is not the program that the
 * process runs. */
int binary_name(const char *path, struct profile *profile, struct frame *frames,
                size_t count, struct failure *failure);

#endif
