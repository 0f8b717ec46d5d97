/*
 * Who made what grew: for descriptors, threads, timers, mappings and children, the line
 * of the program that opened, started or mapped them. A server of this project, or a
 * program under leakprobe, has a profile for each. Where it has none, nobody is blamed.
 */
#ifndef LEAKCHECK_JUDGE_MADE_H
#define LEAKCHECK_JUDGE_MADE_H

#include "leakcheck/judge/blame.h"
#include "leakcheck/measure/own_pages.h"

/* The resources that have such a profile. */
extern const enum resource made_resources[];
extern const size_t made_resource_count;

/* The profiles to compare with. { 0 } is empty. */
struct made_base {
    struct profile at[RESOURCE_COUNT];
    bool there[RESOURCE_COUNT];
};

/* Takes the profile of one resource, in place of the one before. It may not be there:
 * see own_pages.h. */
void made_base_take(struct made_base *base, struct server *server,
                    enum resource resource);

/* Finds out who made what grew since the base, which then becomes the profile taken for
 * that. Returns 0 or -ENOMEM. If a profile is not there, or nothing grew, returns 0 and
 * growth is 0: made_reason says why. */
int made_find(struct blame *ret_made, struct made_base *base, struct server *server,
              enum resource resource, struct blame_own own, struct failure *failure);

/* The same with a profile that was taken before: `last`, which the caller still
 * owns. The base does not change. */
int made_compare(struct blame *ret_made, const struct made_base *base,
                 const struct profile *last, enum resource resource,
                 struct blame_own own, struct failure *failure);

/* Finds out who mapped the bytes by which the resident set may have grown, with the
 * profiles of mappings. Does not change the base. */
int made_find_bytes(struct blame *ret_made, const struct made_base *base,
                    struct server *server, struct blame_own own,
                    struct failure *failure);

/* Why nobody is blamed. */
const char *made_reason(const struct server *server, enum resource resource,
                        const struct blame *made);

void made_base_release(struct made_base *base);

#endif
