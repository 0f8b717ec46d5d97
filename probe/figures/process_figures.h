/*
 * What the kernel counts for this process: memory, threads, descriptors, timers.
 * Source: /proc/self, see proc(5).
 */
#ifndef PROBE_FIGURES_PROCESS_FIGURES_H
#define PROBE_FIGURES_PROCESS_FIGURES_H

#include <stdint.h>

struct process_figures {
    uint64_t rss_bytes;      /* resident set: VmRSS */
    uint64_t peak_rss_bytes; /* VmHWM */
    unsigned threads;
    unsigned fds;     /* open descriptors, except those that the counting opens */
    unsigned sockets; /* of the descriptors */
    unsigned timers;  /* POSIX timers: timer_create(2) */
};

/* Reads the figures. Returns 0, or -errno if /proc could not be read. Needs two free
 * descriptors. */
int probe_process_read_figures(struct process_figures *ret_figures);

#endif
