/*
 * The gate: does one path of one server leak, and where? For a server of any make that
 * serves gperftools' or Go's heap profile. Every resource is judged, or named as one
 * that could not be measured.
 */
#ifndef LEAKCHECK_JUDGE_GATE_H
#define LEAKCHECK_JUDGE_GATE_H

#include "leakcheck/judge/gate_findings.h"

/* What to judge. All of it stays the caller's until the gate is released. */
struct gate_settings {
    const char *url;    /* the server */
    const char *drive;  /* the path to call, with its query */
    const char *binary; /* the program's file, for names; NULL: not given */
    int pid;            /* its process; 0: not given */
    struct blame_own own;
    unsigned rounds; /* 2 to ROUNDS_MAX */
    unsigned calls;  /* a round, 1 or more */
    unsigned timeout_secs;
    struct limit limits[RESOURCE_COUNT];
};

/* Drives and measures. Returns 0, or -errno if there can be no verdict: also when a
 * limit was asked for on what cannot be measured. In both cases `gate` is the caller's
 * to release. */
int gate_run(struct gate *gate, const struct gate_settings *settings,
             struct failure *failure);

void gate_release(struct gate *gate);

#endif
