/*
 * What the kernel counts for this process: memory, time, threads, descriptors, timers,
 * mappings, children. Source: /proc/self, see proc(5). Nothing here allocates.
 */
#ifndef PROBE_FIGURES_PROCESS_FIGURES_H
#define PROBE_FIGURES_PROCESS_FIGURES_H

#include <stdbool.h>
#include <stdint.h>

#define PROCESS_NO_LIMIT UINT64_MAX

struct process_figures {
    uint64_t rss_bytes;          /* resident set: VmRSS */
    uint64_t peak_rss_bytes;     /* VmHWM */
    uint64_t virtual_bytes;      /* address space in use: VmSize */
    uint64_t virtual_bytes_most; /* RLIMIT_AS, or PROCESS_NO_LIMIT */
    int64_t cpu_ns;              /* CPU time of all threads, user and system */
    unsigned threads;
    unsigned fds;        /* open descriptors, except the probe's own (descriptors.h) */
    uint64_t fds_most;   /* RLIMIT_NOFILE, or PROCESS_NO_LIMIT */
    unsigned sockets;    /* of the descriptors */
    bool timers_counted; /* a kernel may be built without their list */
    unsigned timers;     /* POSIX timers: timer_create(2) */
};

/* Reads the figures. Returns 0, or -errno if /proc could not be read. Needs one free
 * descriptor. */
int probe_process_read_figures(struct process_figures *ret_figures);

/* What takes longer to count: about 0.25 us a mapping, and with children 5 us a
 * thread. */
struct process_counts {
    bool mappings_counted;
    unsigned mappings; /* of the address space: lines of /proc/self/maps */
    bool children_counted;
    unsigned children; /* living ones, and those that nobody has waited for */
};

/* Counts them. What the kernel does not say is not counted; see child_count.h for when
 * that are the children. Needs two free descriptors. */
void probe_process_read_counts(struct process_counts *ret_counts);

/* Reads when this process started, in nanoseconds since 1970, exact to the kernel's
 * clock tick of usually 10 ms. Two calls may differ by how the system's clock was set
 * in between: call it once. Returns 0 or -errno. */
int probe_process_read_start(int64_t *ret_started_ns);

#endif
