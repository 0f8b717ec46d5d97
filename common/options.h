/*
 * The command line of a server.
 */
#ifndef LAB_OPTIONS_H
#define LAB_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/heap/heap.h"
#include "probe/http/origin.h"

struct options {
    int64_t port;       /* 0: any free port */
    int64_t debug_port; /* 0: any free port; -1: off */
    const char *bind;   /* an IPv4 address */
    bool expose;        /* listening on addresses other than 127.0.0.1 is wanted */
    enum heap_profile profile; /* what records the heap */
    const char *directory;     /* where heap dumps go */
    int64_t max_heap;          /* bytes */
    int64_t max_threads;
    int64_t max_fds;
    int64_t max_timers;
    const char *upstream;  /* URL; NULL: a child process of this server */
    int64_t trace_seconds; /* between two lines about memory; 0: no lines */
    struct origin peer;    /* the other server of this lab; port 0: none */
};

/* Reads the command line; texts point into `arguments`. Returns true. Or prints the
 * answer to --help, --version or wrong usage and returns false: the program then ends
 * with *ret_status. */
bool options_parse(struct options *ret_options, int count, char **arguments,
                   int *ret_status);

#endif
