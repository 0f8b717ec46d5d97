/*
 * gperftools itself allocates for each snapshot, and this must cancel out. So the first
 * snapshot is not kept on the heap, and the same line takes both, with the same stack.
 */
#include "probe/heap/heap_difference.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "probe/heap/heap.h"

/* Only one difference at a time: each keeps the calling thread until it ends. */
static atomic_flag running = ATOMIC_FLAG_INIT;

/* Takes a snapshot that is not in a later one. */
static int snapshot_take(struct heap_snapshot *snapshot)
{
    int error = probe_heap_snapshot(HEAP_VALUES_SCALED, snapshot);
    return error != 0 ? error : probe_heap_snapshot_leave_heap(snapshot);
}

static int take(int (*wait)(void *argument), void *argument, enum heap_view view,
                struct buffer *ret_profile)
{
    struct heap_snapshot snapshots[2] = {0};
    int64_t start_ns = clock_now_ns();
    int error = 0;
    for (int i = 0; i < 2 && error == 0; i++) {
        error = i == 1 ? wait(argument) : 0;
        error = error != 0 ? error : snapshot_take(&snapshots[i]);
    }
    if (error == 0) {
        error = probe_heap_snapshot_difference(
            &snapshots[0], &snapshots[1], clock_now_ns() - start_ns, view, ret_profile);
    }
    probe_heap_snapshot_release(&snapshots[0]);
    probe_heap_snapshot_release(&snapshots[1]);
    return error;
}

void probe_heap_difference_fork_child(void)
{
    atomic_flag_clear(&running);
}

int probe_heap_difference(int (*wait)(void *argument), void *argument,
                          enum heap_view view, struct buffer *ret_profile)
{
    if (atomic_flag_test_and_set(&running)) {
        return -EBUSY;
    }
    int error = take(wait, argument, view, ret_profile);
    atomic_flag_clear(&running);
    return error;
}
