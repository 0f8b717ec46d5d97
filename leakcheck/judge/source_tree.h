/*
 * The directory in which a program was built. The text profiles of this project leave
 * it out of the names of source files, profile.proto does not; a report must not name
 * one file in two ways.
 */
#ifndef LEAKCHECK_JUDGE_SOURCE_TREE_H
#define LEAKCHECK_JUDGE_SOURCE_TREE_H

#include "leakcheck/measure/profile.h"

/* Leaves the directory out of a file's name, if `whole`, the profile that it is from,
 * has a file with it that `shorts` has without it. */
void source_tree_leave_out(char *name, const struct profile *whole,
                           const struct profile *shorts);

#endif
