/*
 * What the frozen copy of the process does: it finds the blocks, the roots, and who
 * holds what, and ends. The copy is a process of its own with one thread, whose memory
 * is what the program's was at the moment of the copy. Locks may be held there for
 * ever, so it takes none, allocates only by mmap, and opens no file.
 */
#ifndef PROBE_REACH_COPY_WORK_H
#define PROBE_REACH_COPY_WORK_H

#include <sys/types.h>

#include "probe/reach/regions.h"
#include "probe/reach/shared_copy.h"
#include "probe/threads/freeze.h"

/* All but the blocks is filled in in `input`. Does not return. */
void probe_copy_work(struct shared_copy *shared, struct regions_input *input,
                     pid_t parent) __attribute__((noreturn));

#endif
