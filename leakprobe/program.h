/*
 * What kind of file a command is: whether the loader will take a library along.
 */
#ifndef LEAKPROBE_PROGRAM_H
#define LEAKPROBE_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/failure.h"

/* Finds the file of a command as execvp does: a name without '/' is searched in PATH.
 * Returns 0 with its path; -ENOENT if there is none; -EACCES if it may not be
 * executed. */
int program_find(const char *command, char *ret_path, size_t size,
                 struct failure *failure);

/* Whether instruments can be brought into this program; for a script, into its
 * interpreter. If not, `reason` says why: it is static, or gets more rights than its
 * user, or is for another processor or loader, or has a sanitizer's own instruments. A
 * file that cannot be read counts as one that they can be brought into. */
bool program_takes_instruments(const char *path, struct failure *reason);

#endif
