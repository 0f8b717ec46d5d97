/*
 * Blame: which line of the program allocated the memory that grew between two profiles,
 * or made the descriptors, or which line the threads wait in. This is the innermost
 * frame of the program's own code that is no allocation wrapper: a library only works
 * for its caller, and the outer frames only call it. The bug may be in another place:
 * in the code that keeps what this line allocated.
 */
#ifndef LEAKCHECK_JUDGE_BLAME_H
#define LEAKCHECK_JUDGE_BLAME_H

#include "leakcheck/judge/blame_frame.h"

enum blame_what {
    BLAME_IN_USE,     /* heap bytes that stayed */
    BLAME_ALLOCATED,  /* heap bytes that were allocated, freed or not */
    BLAME_THREADS,    /* threads that wait */
    BLAME_MADE,       /* things that are open or alive, by who made them */
    BLAME_MADE_BYTES, /* mapped bytes, by who mapped them */
};

/* The profiles to compare. */
struct blame_question {
    enum blame_what what;
    struct blame_own own;
    const struct profile *base;
    const struct profile *last; /* with names, because its stacks are shown */
    /* Two profiles of the idle server, or NULL. Stacks that grew between them grow
     * without calls, and are not blamed. */
    const struct profile *idle_from;
    const struct profile *idle_to;
};

/* The answer. A text that is not known is "". */
struct blame {
    char function[200];
    char file[200];
    unsigned line;
    uint64_t address;       /* in that function; 0: not known */
    bool own;               /* it is the program's own code */
    int64_t growth;         /* of the blamed function, in bytes or threads */
    int64_t file_growth;    /* of all functions of the blamed file */
    int64_t library_growth; /* the part of file_growth that libraries allocated */
    int64_t total;          /* sum over all stacks that grew */
    int64_t unseen;         /* the part of it that nobody saw being made */
};

/* Finds the code to blame. Returns 0 or -ENOMEM. If nothing grew, returns 0 and growth
 * is 0. */
int blame_find(struct blame *ret_blame, const struct blame_question *question,
               struct failure *failure);

/* Names the function more exactly: `frames` are those that the compiler has put into
 * each other at the blamed address, the innermost first. */
void blame_refine(struct blame *blame, const struct frame *frames, size_t count,
                  const struct blame_own *own);

/* How many bytes in use the profile has in the blamed function. */
int64_t blame_held(const struct profile *profile, const struct blame *blame,
                   struct blame_own own);

#endif
