/*
 * Pages that only the servers of this project have, and programs under leakprobe. No
 * verdict depends on them: where one is not there, the reason is kept
 * (server->own_pages), and it is not asked for again. One that is busy is asked for a
 * while.
 */
#ifndef LEAKCHECK_MEASURE_OWN_PAGES_H
#define LEAKCHECK_MEASURE_OWN_PAGES_H

#include "leakcheck/measure/locks_reply.h"
#include "leakcheck/measure/server.h"

/* The profile of who holds what is in use, with what is lost below a holder of that
 * name; the caller releases it. Returns false if it was not there. */
bool own_retained_try(struct server *server, struct profile *ret_profile);

/* The page with the profile of who made the resource's things; OWN_PAGES if it has
 * none: descriptors, threads, timers, mappings and children have. */
enum own_page_name own_page_of(enum resource resource);

/* The profile that counts something by stack, such as descriptors by who opened them,
 * or OWN_STUCK: threads that provably never go on, with the reason. The caller releases
 * it. Returns false if it was not there. A Go program has no such pages, or others of
 * that name: it is not asked. */
bool own_counts_try(struct server *server, enum own_page_name page,
                    struct profile *ret_profile);

/* Who waits for which lock for ever; `arena` owns it. Returns false if it was not
 * there. */
bool own_locks_try(struct server *server, struct arena *arena,
                   struct locks_reply *ret_reply);

#endif
