/*
 * The command line.
 */
#ifndef LEAKCHECK_OPTIONS_H
#define LEAKCHECK_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"

#define OPTION_SCENARIOS_MAX 64

struct options {
    bool help;
    bool version;
    /* Pairs: LEAKY_URL FIXED_URL */
    const char *urls[2];
    const char *scenarios[OPTION_SCENARIOS_MAX];
    size_t scenario_count;
    const char *json; /* files to write, or NULL */
    const char *report;
    const char *source; /* the directory that holds leaky/ and fixed/ */
    unsigned rounds;    /* 0: not given */
    unsigned calls;
    /* One server */
    const char *url;
    const char *drive;
    int64_t max_growth; /* bytes per call */
    double max_threads; /* per call */
};

/* Reads the arguments; the texts stay the caller's. Returns 0 or -EINVAL. */
int options_parse(struct options *ret_options, int count, char **arguments,
                  struct failure *failure);

/* What --help prints. */
extern const char options_help[];

#endif
