/*
 * The functions that the compiler has put into each other. A profile has one frame for
 * all of them: with the name of the outermost, and the line in the innermost, which is
 * often one of a header. The program's debug information has them all.
 */
#ifndef LEAKCHECK_MEASURE_INLINED_H
#define LEAKCHECK_MEASURE_INLINED_H

#include "leakcheck/measure/profile.h"

/* Gives each stack that has lost something a frame for each of these functions, where
 * the program's file says how; the profile's arena owns them. It may be gone, as the
 * program has ended: the stacks then stay as they are. Returns 0 or -ENOMEM. */
int inlined_expand(struct profile *profile);

#endif
