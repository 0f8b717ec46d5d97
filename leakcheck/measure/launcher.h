/*
 * Where leakprobe is, which starts programs with the probe.
 */
#ifndef LEAKCHECK_MEASURE_LAUNCHER_H
#define LEAKCHECK_MEASURE_LAUNCHER_H

#include <stddef.h>

#include "base/failure.h"

/* Finds leakprobe: beside this program, or else in PATH. Returns 0, or -ENOENT, where
 * `option` is the one that needs it. */
int launcher_find(char *ret_path, size_t size, const char *option,
                  struct failure *failure);

#endif
