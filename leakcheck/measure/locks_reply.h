/*
 * The reply of /debug/locks?format=json: which threads wait for each other in a cycle,
 * and which wait for a lock whose owner has ended.
 */
#ifndef LEAKCHECK_MEASURE_LOCKS_REPLY_H
#define LEAKCHECK_MEASURE_LOCKS_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/failure.h"
#include "base/size.h"

#define LOCKS_JSON_MAX (4 * MIB) /* bytes; a longer reply is refused and not parsed */
#define LOCKS_GROUPS_MAX                                                               \
    100000 /* deadlocks, and locks, and the threads of all; and                        \
              as many threads of the process */

/* Threads that never go on for one reason, by the kernel's numbers. */
struct lock_group {
    int64_t *threads;
    size_t count;
};

/* Lives in memory that the caller owns; { 0 } is empty. The arena given to locks_parse
 * owns the rest.
 */
struct locks_reply {
    struct lock_group *deadlocks; /* each is one cycle */
    size_t deadlock_count;
    struct lock_group *never_released; /* each is one lock */
    size_t never_released_count;
    bool lists_threads;        /* an older server does not: then the rest is empty */
    struct lock_group threads; /* all of the process */
    struct lock_group stuck; /* that never go on, also those that wait behind others */
};

/* Parses `length` bytes, which are not trusted. Returns 0; -EPROTO with a reason: it is
 * no such reply, or the server says that it does not measure that; or -ENOMEM. */
int locks_parse(struct locks_reply *ret_reply, struct arena *arena, const char *text,
                size_t length, struct failure *failure);

#endif
