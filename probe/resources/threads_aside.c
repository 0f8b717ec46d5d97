#include "probe/resources/threads_aside.h"

#include <stdatomic.h>
#include <stddef.h>

#define ASIDE_MAX 256

enum { ASIDE_FREE, ASIDE_BEING_WRITTEN, ASIDE_READY };

static struct {
    atomic_int state;
    bool joined;
    uint64_t which;
} aside[ASIDE_MAX];
static atomic_bool is_aside; /* there may be some */
static _Atomic uint64_t lost;

void probe_thread_put_aside(uint64_t which, bool joined)
{
    for (size_t i = 0; i < ASIDE_MAX; i++) {
        int state = ASIDE_FREE;
        if (atomic_compare_exchange_strong(&aside[i].state, &state,
                                           ASIDE_BEING_WRITTEN)) {
            aside[i].which = which;
            aside[i].joined = joined;
            atomic_store(&aside[i].state, ASIDE_READY);
            atomic_store(&is_aside, true);
            return;
        }
    }
    atomic_fetch_add(&lost, 1);
}

void probe_threads_aside(void (*each)(uint64_t which, bool joined))
{
    if (!atomic_load_explicit(&is_aside, memory_order_relaxed)) {
        return;
    }
    atomic_store(&is_aside, false);
    for (size_t i = 0; i < ASIDE_MAX; i++) {
        if (atomic_load(&aside[i].state) == ASIDE_READY) {
            each(aside[i].which, aside[i].joined);
            atomic_store(&aside[i].state, ASIDE_FREE);
        }
    }
}

static void forget(uint64_t which, bool joined)
{
    (void)which, (void)joined;
}

void probe_threads_aside_forget(void)
{
    atomic_store(&is_aside, true);
    probe_threads_aside(forget);
    atomic_store(&lost, 0);
}

void probe_thread_not_noted(void)
{
    atomic_fetch_add(&lost, 1);
}

uint64_t probe_threads_lost(void)
{
    return atomic_load(&lost);
}
