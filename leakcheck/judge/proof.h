/*
 * Proof that threads never go on: they wait for each other's locks in a cycle, or for
 * a lock whose owner has ended. The server proves it: any program under leakprobe does,
 * and the lab's servers. What it does not prove is not claimed here.
 */
#ifndef LEAKCHECK_JUDGE_PROOF_H
#define LEAKCHECK_JUDGE_PROOF_H

#include "leakcheck/judge/blame.h"
#include "leakcheck/measure/own_pages.h"

enum proof_kind { PROOF_DEADLOCK, PROOF_NEVER_RELEASED, PROOF_KINDS };

#define PROOF_PLACES_MAX 4

/* A line that threads wait in. */
struct proof_place {
    char function[200];
    char file[200]; /* "": not known */
    unsigned line;
    int64_t threads;
};

/* What is proved for one reason. */
struct proof_part {
    int64_t threads;  /* that wait for ever in a cycle, or for a lock of the kind; 0:
                         none. Those that wait behind them are not counted */
    int64_t together; /* in the largest cycle, or at one lock; 0: not known */
    struct proof_place places[PROOF_PLACES_MAX]; /* those with most threads, by file and
                                                    line */
    size_t place_count;
    size_t place_more; /* places that have no room */
};

/* { 0 }: nothing was asked. */
struct proof {
    struct proof_part parts[PROOF_KINDS];
    int64_t explains; /* threads that never go on and were not there before, also those
                         behind others; at most `grew`. UNKNOWN: the server does not
                         list its threads */
    int64_t grew;     /* threads more than before */
    char reason[200]; /* asked, but nothing is proved: why; else "" */
};

/* What was proved before the calls. { 0 } is empty. */
struct proof_base {
    bool there;
    struct profile stuck; /* threads that never go on */
    int64_t *threads; /* the numbers of those in a cycle or behind one lock, sorted */
    size_t thread_count;
    int64_t *alive; /* the numbers of all threads, sorted; NULL: not known */
    size_t alive_count;
};

/* Takes the base, in place of the one before. The pages may not be there: see
 * own_pages.h. */
void proof_base_take(struct proof_base *base, struct server *server);

/* Finds what is proved of the `grew` threads more than at the base, which becomes what
 * is known now. Returns 0 or -ENOMEM. */
int proof_find(struct proof *ret_proof, struct proof_base *base, struct server *server,
               struct blame_own own, int64_t grew, struct failure *failure);

/* The part with most threads; NULL if nothing is proved. */
const struct proof_part *proof_main(const struct proof *proof);

void proof_base_release(struct proof_base *base);

#endif
