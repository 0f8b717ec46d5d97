/*
 * Code that a profile shows as part of the program, but that others wrote: standard
 * libraries and packages, which languages compile into the program or run from source.
 */
#ifndef LEAKCHECK_JUDGE_LIBRARY_CODE_H
#define LEAKCHECK_JUDGE_LIBRARY_CODE_H

#include <stdbool.h>

#include "leakcheck/measure/profile.h"

/* Whether the frame's file or function is one of a library of C, C++, Go, Rust, Java or
 * Node. */
bool code_is_library(const struct frame *frame);

#endif
