/*
 * The gate: do calls of one server leak, and which code? It works for any server
 * that has gperftools' or Go's heap profile. Each resource gets a verdict, or is listed
 * as one that could not be measured.
 */
#ifndef LEAKCHECK_JUDGE_GATE_H
#define LEAKCHECK_JUDGE_GATE_H

#include "leakcheck/judge/gate_findings.h"

/* What to judge. The caller owns all texts and keeps them until gate_release. */
struct gate_settings {
    const char *url; /* where the profiles are; NULL: `run` is set */
    const char *run; /* the program to start under leakprobe; NULL: it runs */
    struct call_settings call;
    const char *binary; /* the program's file, for function names; NULL: not given */
    int pid;            /* the server's process id; 0: not given */
    struct blame_own own;
    unsigned rounds; /* 2 to ROUNDS_MAX */
    unsigned calls;  /* calls in a round; at least one for each URL */
    unsigned timeout_secs;
    struct limit limits[RESOURCE_COUNT];
    struct gate_progress *progress; /* NULL: not needed */
};

/* Makes the calls and measures. Returns 0, or -errno if no verdict is possible: for
 * example, if the user set a limit for a resource that cannot be measured. A program
 * that it started has ended then. In both cases the caller calls gate_release. With
 * `run` or a command to call, child_guard was called before. */
int gate_run(struct gate *gate, const struct gate_settings *settings,
             struct failure *failure);

/* Closes the connection and frees everything that the gate owns. */
void gate_release(struct gate *gate);

#endif
