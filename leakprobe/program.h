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

enum program_kind {
    PROGRAM_TAKES,   /* instruments can be brought into it; also if it cannot be read */
    PROGRAM_IGNORES, /* they cannot, and the loader's variables do nothing to it: it is
                        static, or gets more rights than its user */
    PROGRAM_REFUSES, /* they cannot, and it fails if one tries: it has a sanitizer's
                        own */
};

/* What kind this program is; of a script, its interpreter. If it is not PROGRAM_TAKES,
 * `reason` says why. */
enum program_kind program_kind(const char *path, struct failure *reason);

#endif
