/*
 * One line about the memory of a process, for a log:
 *
 *   leaky: memory @3.000s: 10.93->21.00 MiB in use, 10.07 MiB/s allocated,
 *   30.21 MiB resident, 53 threads, 64 descriptors
 */
#ifndef PROBE_FIGURES_MEMORY_LINE_H
#define PROBE_FIGURES_MEMORY_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "probe/figures/figures.h"

/* The longest line, with its '\0'. A pipe takes that much in one piece. */
#define MEMORY_LINE_SIZE 256

/* Writes the line of what became of `before` until `now`, with its '\n'. `started_ns`
 * (clock_now_ns) is the time 0. What `now` has not counted is left out. Of a long name
 * only the beginning is shown. Returns the line's length. Allocates nothing. */
size_t probe_memory_line_format(char *line, const char *name, int64_t started_ns,
                                const struct figures *before,
                                const struct figures *now);

/* The same, if the figures could not be read at `now_ns`; `error` is -errno. */
size_t probe_memory_line_format_error(char *line, const char *name, int64_t started_ns,
                                      int64_t now_ns, int error);

#endif
