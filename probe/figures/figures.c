#include "probe/figures/figures.h"

#include <pthread.h>

#include "base/clock.h"

/* Figures that are older than this are read again. */
#define REUSE_NS (10 * CLOCK_NS_PER_MS)

static struct figures latest; /* taken_ns is 0 before the first reading */
static bool latest_counted;   /* its counts were read too */
static pthread_mutex_t latest_lock = PTHREAD_MUTEX_INITIALIZER;

/* Reads the figures anew. The start is read once: it must not change when the system's
 * clock is set, because a monitor takes that for a restart. */
static int latest_renew(bool count)
{
    int error = probe_process_read_figures(&latest.process);
    if (error != 0) {
        return error;
    }
    if (latest.started_ns == 0) {
        (void)probe_process_read_start(&latest.started_ns); /* or it stays 0 */
    }
    probe_heap_read_figures(&latest.heap);
    latest.counts = (struct process_counts){0};
    if (count) {
        probe_process_read_counts(&latest.counts);
    }
    latest_counted = count;
    latest.taken_ns = clock_now_ns();
    return 0;
}

void probe_figures_fork_child(void)
{
    pthread_mutex_init(&latest_lock, NULL);
    latest = (struct figures){0};
}

static int figures_read(struct figures *ret_figures, bool count)
{
    int error = 0;
    pthread_mutex_lock(&latest_lock);
    if (latest.taken_ns == 0 || clock_now_ns() - latest.taken_ns > REUSE_NS ||
        (count && !latest_counted)) {
        error = latest_renew(count);
    }
    *ret_figures = latest;
    pthread_mutex_unlock(&latest_lock);
    return error;
}

int probe_figures_read(struct figures *ret_figures)
{
    return figures_read(ret_figures, false);
}

int probe_figures_read_all(struct figures *ret_figures)
{
    return figures_read(ret_figures, true);
}
