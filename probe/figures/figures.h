/*
 * All figures of this process at one moment: the heap's, and the kernel's. /status,
 * /metrics, the timeline and --trace-memory show them.
 */
#ifndef PROBE_FIGURES_FIGURES_H
#define PROBE_FIGURES_FIGURES_H

#include "probe/figures/process_figures.h"
#include "probe/heap/heap.h"

struct figures {
    int64_t taken_ns;   /* clock_now_ns */
    int64_t started_ns; /* when the process started, since 1970, the same in
                           every reading; 0: not known */
    struct heap_figures heap;
    struct process_figures process;
    struct process_counts counts; /* only of probe_figures_read_all */
};

/* Reads the figures, or copies the last ones if they are at most 10 ms old: so however
 * many clients ask, the cost is bounded. Allocates nothing. Returns 0, or -errno if
 * /proc could not be read. */
int probe_figures_read(struct figures *ret_figures);

/* The same with the counts, which cost more in a process with many mappings or threads.
 * They are as old as the rest. */
int probe_figures_read_all(struct figures *ret_figures);

/* In a forked child: forgets the parent's figures. */
void probe_figures_fork_child(void);

#endif
