/*
 * What the command line says: see options_usage for each option's meaning.
 */
#ifndef LAB_OPTIONS_H
#define LAB_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "probe/http/origin.h"

struct options {
    int port;              /* 0: any free port */
    int debug_port;        /* 0: any free port; -1: off */
    const char *bind;      /* an IPv4 address */
    bool expose;           /* other addresses than 127.0.0.1 are meant */
    bool profile;          /* exact heap profile, else none */
    const char *directory; /* where heap dumps go */
    size_t max_heap;       /* bytes */
    unsigned max_threads;
    unsigned max_fds;
    unsigned max_timers;
    const char *upstream; /* URL; NULL: a child process of this server */
    struct origin peer;   /* the other server of this lab; port 0: none */
};

enum options_result {
    OPTIONS_RUN,
    OPTIONS_HELP,
    OPTIONS_VERSION,
    OPTIONS_WRONG, /* `message` says what is wrong */
};

/* Reads the command line into *options, whose strings then point into argv. `message`
 * has room for `message_size` bytes. */
enum options_result options_parse(struct options *options, int argc, char **argv,
                                  char *message, size_t message_size);

/* Writes the usage text of --help. */
void options_usage(FILE *stream);

/* Reads a size such as "65536", "64K", "512M" or "2G" (powers of 1024). Returns 0, or
 * -EINVAL, -ERANGE. */
int options_size(const char *text, uint64_t *ret_bytes);

/* Reads a whole decimal number, digits only. Returns 0, or -EINVAL, -ERANGE. */
int options_number(const char *text, uint64_t *ret_number);

#endif
