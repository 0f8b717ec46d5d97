/*
 * The command line of leakcheck: which of its six forms is used, and what to judge.
 */
#ifndef LEAKCHECK_OPTIONS_H
#define LEAKCHECK_OPTIONS_H

#include <stdbool.h>

#include "base/failure.h"
#include "leakcheck/judge/gate.h"
#include "leakcheck/judge/losses.h"
#include "leakcheck/judge/pair.h"

struct options {
    bool list;       /* only print the names of the scenarios of pairs.urls[0] */
    bool alone;      /* judge pairs.urls[ROLE_FIXED] without its leaky half */
    bool one_server; /* `gate` says what to judge */
    bool to_its_end; /* `losses` says what to judge; none of these: `pairs` does */
    struct gate_settings gate;
    struct losses_settings losses;
    struct judge_order pairs;
    const char *source; /* the directory that contains leaky/ and fixed/ */
    const char *json;   /* files to write, or NULL */
    const char *report;
    const char *text;
};

/* Reads the command line; texts point into `arguments`, lists are valid until the next
 * call. Returns true. Or prints the answer to --help, --version or wrong usage and
 * returns false: the program then ends with *ret_status. */
bool options_parse(struct options *ret_options, int count, char **arguments,
                   int *ret_status);

#endif
