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

#define INLINED_MOST 16 /* so many functions at one address are enough */

/* A program's file that is open for several questions. */
struct binary;

/* Opens the file as the program of the profile, which has this address. NULL if it is
 * of no use; else the caller calls binary_destroy. */
struct binary *binary_create(const char *path, const struct profile *profile,
                             uint64_t address);

void binary_destroy(struct binary *binary);

/* The functions at an address of the profile's program, the innermost first: more than
 * one where the compiler has put functions into each other. Each but the first has the
 * line of its call. Returns how many of at most `most`; 0 if this is not known, or if
 * there is no `binary`. The profile's arena owns the texts. */
size_t binary_inlined(const struct binary *binary, struct profile *profile,
                      uint64_t address, struct frame *ret_frames, size_t most);

#endif
