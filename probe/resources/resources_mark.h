/*
 * Children in which nothing is noted: those that share their parent's memory, and those
 * in which a lock may be held for ever.
 */
#ifndef PROBE_RESOURCES_RESOURCES_MARK_H
#define PROBE_RESOURCES_RESOURCES_MARK_H

#include <stdatomic.h>
#include <stdbool.h>

/* The child of vfork shares the memory of its parent, and its descriptors, timers and
 * children are its own: what it does is not noted. Set in that child (vfork_call.c). */
extern _Thread_local unsigned probe_in_vfork __attribute__((tls_model("initial-exec")));

/* Where 1 stands, but 0 in a child that was forked without the handlers of
 * pthread_atfork, by _Fork or clone: another thread may have held a lock of the tables,
 * which is then held for ever. So nothing is noted there. */
extern const _Atomic unsigned char *probe_resources_mark;

/* Makes the mark. Before, if memory is short, and if the kernel is older than Linux
 * 4.14, it always stands. */
void probe_resources_mark_make(void);

/* In a forked child whose tables are in order: it stands again. */
void probe_resources_mark_again(void);

static inline bool probe_is_unmarked(void)
{
    return atomic_load_explicit(probe_resources_mark, memory_order_relaxed) == 0;
}

#endif
