/*
 * Who holds what grew: between two profiles of what is retained, the holder that gained
 * most of what the blamed line allocated. Such a profile (/debug/pprof/retained?lost=1
 * of this project's servers, and of any program under leakprobe) has stacks that begin
 * with the place of the allocation and end with the name of the holder, or with "lost".
 */
#ifndef LEAKCHECK_JUDGE_HELD_H
#define LEAKCHECK_JUDGE_HELD_H

#include "leakcheck/judge/blame.h"

#define HELD_LOST "lost" /* the holder of what nothing points to */

/* The answer. { 0 }: it was not asked for, because nothing stays. */
struct held {
    bool measured;
    char holder[300]; /* "global signatures (leaky/slice_prefix.c:22)", HELD_LOST */
    int64_t bytes;    /* that the holder gained of what the blamed line allocated */
    int64_t total;    /* that all holders gained of it */
    char reason[200]; /* asked, but not measured: why; otherwise "" */
};

/* Addresses, sorted. */
struct held_list {
    uint64_t *at;
    size_t count;
};

/* The places where the blamed code allocates. { 0 } is empty. */
struct held_places {
    struct held_list blamed; /* in the blamed function itself */
    struct held_list inner;  /* also in what it called for that */
};

/* Lists the places of the stacks that grew between two heap profiles and that are
 * blamed. `last` has names; `own` is that of the question for the blame. Returns 0 or
 * -ENOMEM. After 0 the caller calls held_places_release. */
int held_places_list(struct held_places *ret_places, const struct blame *blame,
                     struct blame_own own, const struct profile *base,
                     const struct profile *last, struct failure *failure);

/* Frees the places; { 0 } is allowed. */
void held_places_release(struct held_places *places);

/* Finds the holder that gained most of what was allocated at the places, between two
 * profiles of what is retained. Returns 0 or -ENOMEM. If the profiles do not tell,
 * returns 0, and `reason` says why. */
int held_find(struct held *ret_held, const struct held_places *places,
              const struct profile *base, const struct profile *last,
              struct failure *failure);

/* Sets the reason why it is not measured. */
void held_refuse(struct held *held, const char *reason);

/* Whether the holder is HELD_LOST. */
bool held_is_lost(const struct held *held);

/* The part of what grew that the holder has, 0 to 1. */
double held_share(const struct held *held);

#endif
