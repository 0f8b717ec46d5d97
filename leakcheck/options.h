/*
 * The command line.
 */
#ifndef LEAKCHECK_OPTIONS_H
#define LEAKCHECK_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "leakcheck/measure/replies.h"

#define OPTION_LIST_MAX 64

/* How much of a resource one call may leave behind. */
struct limit {
    double most; /* bytes, or a count */
    bool asked;  /* the user set it: then it must be measured */
};

struct options {
    bool help;
    bool version;
    unsigned rounds;       /* 0: not given */
    unsigned calls;        /* 0: not given */
    unsigned timeout_secs; /* of the whole run */
    const char *json;      /* files to write, or NULL */
    const char *report;
    /* Pairs: LEAKY_URL FIXED_URL */
    const char *urls[2];
    const char *scenarios[OPTION_LIST_MAX];
    size_t scenario_count;
    const char *text;   /* a file to write, or NULL */
    bool list;          /* only name the scenarios of urls[0] */
    const char *source; /* the directory that holds leaky/ and fixed/; NULL: "." */
    /* One server */
    const char *url;
    const char *drive;
    const char *binary; /* the program's file, for names; NULL: not given */
    int pid;            /* its process; 0: not given */
    const char *own[OPTION_LIST_MAX];
    size_t own_count;
    struct limit limits[RESOURCE_COUNT];
};

/* Reads the arguments; the texts stay the caller's. Returns 0 or -EINVAL. */
int options_parse(struct options *ret_options, int count, char **arguments,
                  struct failure *failure);

/* What --help prints. */
extern const char options_help[];

#endif
