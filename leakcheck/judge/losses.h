/*
 * Does a program that is no server lose memory until its end, and which lines allocated
 * it? A verdict on each process that has left a result.
 */
#ifndef LEAKCHECK_JUDGE_LOSSES_H
#define LEAKCHECK_JUDGE_LOSSES_H

#include "leakcheck/judge/blame.h"
#include "leakcheck/measure/ending.h"

/* What to judge. The caller owns all texts and keeps them until losses_release. */
struct losses_settings {
    const char *command; /* NULL: it is another form of leakcheck */
    int64_t max_lost;    /* bytes that a process may lose */
    int expect;          /* the exit status that is a success */
    struct blame_own own;
    unsigned timeout_secs;
};

/* What one line has lost. Direct: no other lost block leads to it. The same line can be
 * there twice, once for each. */
struct loss {
    const struct frame *frame; /* NULL: the stack has no names */
    bool direct;
    int64_t objects;
    int64_t bytes;
};

struct process_losses {
    int pid;
    int64_t inuse_objects;
    int64_t inuse_bytes;
    int64_t lost_objects;
    int64_t lost_bytes;
    int64_t direct_bytes;
    bool over;
    struct loss *items; /* direct ones first, of these the largest first */
    size_t count;
};

/* Lives in memory that the caller owns; { 0 } is empty. */
struct losses {
    struct ending ending;
    struct process_losses *processes; /* the program itself is the first */
    size_t count;
};

/* Runs the program and judges it. child_guard was called. Returns 0; or -errno if no
 * verdict is possible, see ending_run. In both cases the caller calls losses_release.
 */
int losses_run(struct losses *losses, const struct losses_settings *settings,
               struct failure *failure);

/* Whether any process has lost more than it may. */
bool losses_are_over(const struct losses *losses);

/* Whether the program ended as was expected. Where it did not, it may not have come to
 * the code that loses something: nothing holds then. */
bool losses_end_well(const struct losses *losses,
                     const struct losses_settings *settings);

void losses_release(struct losses *losses);

#endif
