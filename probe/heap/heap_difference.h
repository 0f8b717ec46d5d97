/*
 * The change of the heap during some seconds: the difference of two snapshots.
 */
#ifndef PROBE_HEAP_HEAP_DIFFERENCE_H
#define PROBE_HEAP_HEAP_DIFFERENCE_H

#include "base/buffer.h"
#include "probe/heap/heap_profile.h"

/* Takes two snapshots of the heap, calls `wait` between them, and appends the
 * difference as profile.proto. `wait` returns 0, or -errno to give up. Returns 0,
 * -EBUSY while another difference is taken, the error of `wait`, or an error of
 * probe_heap_snapshot or probe_heap_snapshot_difference. */
int probe_heap_difference(int (*wait)(void *argument), void *argument,
                          enum heap_view view, struct buffer *ret_profile);

/* In a forked child: none is being taken there. */
void probe_heap_difference_fork_child(void);

#endif
