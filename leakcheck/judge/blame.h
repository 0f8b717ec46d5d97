/*
 * Blame: which line of the program allocated what grew between two profiles, or waits
 * there. It is the innermost frame that is the program's own: libraries only do what
 * they are told, and the outer frames only order the work. The bug may be elsewhere: in
 * the code that keeps what that line made.
 */
#ifndef LEAKCHECK_JUDGE_BLAME_H
#define LEAKCHECK_JUDGE_BLAME_H

#include "leakcheck/measure/profile.h"

enum blame_what {
    BLAME_IN_USE,    /* heap bytes that stayed */
    BLAME_ALLOCATED, /* heap bytes that were asked for, freed or not */
    BLAME_THREADS,   /* threads that wait */
};

/* Paths that count as the program's own code: a source file, a directory of them or a
 * library. A path may be whole or only the end of one ("src/cache.c" is
 * /srv/app/src/cache.c too). Without any, the program's own mapping counts, and its
 * libraries do not. */
struct blame_own {
    const char *const *paths;
    size_t count;
};

/* The profiles to compare. */
struct blame_question {
    enum blame_what what;
    struct blame_own own;
    const struct profile *base;
    const struct profile *last; /* with names: its stacks are shown */
    /* Two profiles of an idle server, or NULL: stacks that grew between them are busy
     * by themselves, and not blamed. */
    const struct profile *idle_from;
    const struct profile *idle_to;
};

/* The answer. Texts are empty where nothing is known. */
struct blame {
    char function[200];
    char file[200];
    unsigned line;
    bool own;               /* it is the program's own code */
    int64_t growth;         /* of the blamed function, in bytes or threads */
    int64_t file_growth;    /* of all functions of the blamed file */
    int64_t library_growth; /* of file_growth: what libraries took to serve it */
    int64_t total;          /* of every stack that grew */
};

/* Finds the code to blame. Returns 0, also when nothing grew (then growth is 0), or
 * -ENOMEM. */
int blame_find(struct blame *ret_blame, const struct blame_question *question,
               struct failure *failure);

/* Whether any stack with names passes through `path`, one of those in blame_own. */
bool blame_meets(const struct profile *profile, const char *path);

/* How much the profile holds in the blamed function, in bytes in use. */
int64_t blame_held(const struct profile *profile, const struct blame *blame,
                   struct blame_own own);

/* The frame of `record` that takes the blame; NULL if it has no named frame. */
const struct frame *blame_frame(const struct profile *profile,
                                const struct record *record, struct blame_own own);

#endif
