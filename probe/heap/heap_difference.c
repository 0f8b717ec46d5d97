/*
 * The profiler itself allocates for each snapshot, and this must cancel out. So the
 * first text is not kept on the heap, and the same line takes both snapshots, with the
 * same stack.
 */
#include "probe/heap/heap_difference.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "probe/heap/heap.h"

/* Only one difference at a time: each keeps the calling thread until it ends. */
static atomic_flag running = ATOMIC_FLAG_INIT;

/* Takes a snapshot into a buffer, whose memory does not come from malloc. */
static int snapshot_take(struct buffer *snapshot)
{
    char *text = NULL;
    int error = probe_heap_snapshot(&text);
    if (error == 0) {
        buffer_text(snapshot, text);
        error = snapshot->error;
    }
    free(text);
    return error;
}

static int take(int (*wait)(void *argument), void *argument, enum heap_view view,
                struct buffer *ret_profile)
{
    struct buffer snapshots[2] = {0};
    int64_t start_ns = clock_now_ns();
    int error = 0;
    for (int i = 0; i < 2 && error == 0; i++) {
        error = i == 1 ? wait(argument) : 0;
        error = error != 0 ? error : snapshot_take(&snapshots[i]);
    }
    if (error == 0) {
        error =
            probe_heap_profile_difference(snapshots[0].data, snapshots[1].data,
                                          clock_now_ns() - start_ns, view, ret_profile);
    }
    buffer_release(&snapshots[0]);
    buffer_release(&snapshots[1]);
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
