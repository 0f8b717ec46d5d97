/*
 * Who made what the process has open or alive: descriptors, threads, timers, mappings,
 * children. The functions in probe/calls/ stand in front of the C library's, and note
 * the caller's stack and the time for what was made, until it is gone.
 *
 *   open, socket ...   --> descriptor_notes.h  --> fds_list.c       /debug/pprof/fds
 *   pthread_create ... --> thread_notes.h      --> threads_list.c   .../threadcreate
 *   timer_create ...   --> timer_notes.h       --> timers_list.c    .../timers
 *   mmap ...           --> mapping_notes.h     --> mappings_list.c  .../mmaps
 *   fork ...           --> child_notes.h       --> children_list.c  .../children
 *
 * A list is what the kernel shows at one moment, each item with its note; one without a
 * note was made unseen. So the sums are always the kernel's (resource_list.h).
 */
#ifndef PROBE_RESOURCES_RESOURCES_H
#define PROBE_RESOURCES_RESOURCES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "probe/recorder/inside.h"
#include "probe/resources/resources_mark.h"

/* Who made a thing, and when. { 0 }: nothing is noted. */
struct resource_note {
    uint32_t stack; /* number of its record (stack_records.h); 0: memory was short */
    uint32_t made;  /* in RESOURCE_TICK_NS, from 1 on: see probe_resource_age */
};

#define RESOURCE_TICK_NS INT64_C(10000000) /* lasts for a year */

/* Begins to note. What is there already stands as made unseen. Returns 0; -ENOSYS if
 * the library libunwind is not there; -ENOTSUP if nothing stands in front of the C
 * library in this build (a sanitizer has that place), or Valgrind runs it. */
int probe_resources_start(void);

/* Whether it has begun. */
extern atomic_bool probe_resources_on;

/* Whether this is not the process in which noting began, nor one forked from it. When
 * the child of vfork has ended, a signal handler may run in the parent before
 * probe_in_vfork is 0 again. */
bool probe_is_other_process(void);

/* Whether what this thread ends is to be forgotten: also inside the probe, which may
 * have interrupted the program (a signal handler). */
static inline bool probe_resources_forget(void)
{
    return atomic_load_explicit(&probe_resources_on, memory_order_relaxed) &&
           (probe_in_vfork == 0 || !probe_is_other_process());
}

/* Whether what this thread makes now is to be noted. */
static inline bool probe_resources_wanted(void)
{
    return probe_resources_forget() && probe_inside == 0 &&
           atomic_load_explicit(probe_resources_mark, memory_order_relaxed) != 0;
}

/* A note for what was just made: the stack of the caller of the function whose frame
 * this is (__builtin_frame_address(0); it has not returned), and the time. Keeps errno.
 * May be called in a signal handler. */
struct resource_note probe_resource_note(const void *frame);

/* What `made` is in a note that is made now. */
uint32_t probe_resource_now(void);

/* In a forked child: it notes what it makes. Only resources_fork.h calls this. */
void probe_resources_go_on(void);

/* In a child that was forked while the tables could not be held, or by the child of
 * vfork: what is noted there cannot be relied on. */
void probe_resources_stop(void);

/* How long ago it was made, in nanoseconds, exact to RESOURCE_TICK_NS. */
int64_t probe_resource_age(struct resource_note note);

#endif
