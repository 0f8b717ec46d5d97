/*
 * What the gate says about growth: which picture it is, and which code caused it.
 */
#ifndef LEAKCHECK_JUDGE_GATE_BLAME_H
#define LEAKCHECK_JUDGE_GATE_BLAME_H

#include "leakcheck/judge/gate_findings.h"

/* The profiles to compare. */
struct gate_profiles {
    struct profile heap_idle; /* before heap_base; between them there was only
                                 sampling */
    struct profile heap_base;
    struct profile heap_last;
    struct profile threads_base;
    struct profile threads_last;
    struct profile retained_base; /* who holds what; { 0 }: not there */
    struct made_base made;        /* who made what is open or alive */
    struct proof_base proof;      /* which threads never go on */
};

/* Takes the profiles of who holds what, who made what, and which threads never go on,
 * to compare with; where there are none, nobody is blamed. */
void gate_bases_take(struct gate *gate, struct gate_profiles *profiles);

/* Fills in the picture, the blame, who holds what grew, who made it, and how much a
 * call allocates. Adds names to the profiles, and asks the server once more. Returns 0
 * or -errno. */
int gate_blame(struct gate *gate, const struct blame_own *own,
               struct gate_profiles *profiles, struct failure *failure);

#endif
