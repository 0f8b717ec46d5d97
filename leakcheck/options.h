/*
 * What the command line says: which of the two forms it is, and what to judge.
 */
#ifndef LEAKCHECK_OPTIONS_H
#define LEAKCHECK_OPTIONS_H

#include <stdbool.h>

#include "base/failure.h"
#include "leakcheck/judge/gate.h"
#include "leakcheck/judge/pair.h"

struct options {
    bool one_server; /* `gate` says what to judge; else `pairs` does */
    struct gate_settings gate;
    struct judge_order pairs;
    const char *source; /* the directory that holds leaky/ and fixed/ */
    const char *json;   /* files to write, or NULL */
    const char *report;
    const char *text;
    bool list; /* only name the scenarios of pairs.urls[0] */
};

/* Reads the command line; texts and lists stay where they are until it is read anew.
 * Returns true; or false once --help, --version or wrong usage has been answered: then
 * the program is to end with *ret_status. */
bool options_parse(struct options *ret_options, int count, char **arguments,
                   int *ret_status);

#endif
