/*
 * What the command line of leakcheck has said, and whether it makes sense: each of the
 * six forms refuses the options of the others, and says what it lacks.
 */
#ifndef LEAKCHECK_OPTIONS_CHECK_H
#define LEAKCHECK_OPTIONS_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/command_line.h"
#include "base/failure.h"
#include "leakcheck/judge/gate.h"

#define OPTIONS_STATUS_MAX 599 /* of --expect */

struct taken {
    int64_t rounds; /* 0: not given */
    int64_t calls;  /* 0: not given */
    int64_t timeout_secs;
    int64_t pid; /* 0: not given */
    struct limit limits[RESOURCE_COUNT];
    struct command_list scenarios;
    struct command_list own;
    struct command_list wrappers;
    const char *source;
    int64_t expect; /* 0: not given */
    struct command_list drives;
    struct command_list headers;
    const char *url;
    const char *profiles;
    const char *run;
    const char *command;
    int64_t max_lost;
    bool max_lost_asked;
    const char *drive_command;
    const char *method;
    const char *body;
    const char *binary;
    const char *json;
    const char *report;
    const char *text;
    bool list;
    bool alone;
};

/* Whether there is one server to judge, or something that only makes sense with one. */
bool options_one_server(const struct taken *taken);

/* Checks the form that is used; `arguments` are what is no option, ended by NULL.
 * Returns 0, or -EINVAL with a reason. */
int options_check(const struct taken *taken, int count, char **arguments,
                  struct failure *failure);

#endif
