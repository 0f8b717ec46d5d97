/*
 * Handlers of pthread_atfork that prepare for a fork run in the opposite order of their
 * registration, and those of libraries take the libraries' locks. A page that is being
 * made may need such a lock, so it is waited for first. The recorders' locks are taken
 * last: a thread that holds a library's lock may wait for one of them in malloc.
 */
#include "probe/preload/agent_fork.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "probe/calls/real_function.h"
#include "probe/figures/figures.h"
#include "probe/heap/heap_difference.h"
#include "probe/listener/listener.h"
#include "probe/locks/lock_waits.h"
#include "probe/preload/agent_main_end.h"
#include "probe/preload/agent_state.h"
#include "probe/preload/agent_work.h"
#include "probe/preload/waits.h"
#include "probe/reach/reach.h"
#include "probe/recorder/inside.h"
#include "probe/recorder/recorder.h"
#include "probe/resources/resources.h"
#include "probe/resources/resources_fork.h"
#include "probe/stacks/maps.h"
#include "probe/symbols/symbols.h"
#include "probe/threads/threads.h"
#include "probe/trace/trace.h"

/* glibc's, without a declaration in any header of it. */
int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void),
                      void *library);
/* The C library's name for the file that a handler is in. */
extern void *__dso_handle __attribute__((visibility("hidden")));

/* This thread forks without the probe's locks: in a signal handler that has interrupted
 * the probe, which may hold any of them; or a page is being made for so long that this
 * thread may hold what it waits for. */
static _Thread_local bool forks_within;

static bool started;
static atomic_bool tables_registered;

/* Takes both locks of the agent. Returns whether that was possible. */
static bool locks_take(void)
{
    if (!probe_agent_lock()) {
        return false;
    }
    bool taken = probe_work_take();
    if (!taken) {
        pthread_mutex_unlock(&probe_agent.lock);
    }
    return taken;
}

static void before_fork(void)
{
    forks_within = probe_inside != 0 && !probe_agent_is_this_thread();
    if (!forks_within && probe_inside == 0) {
        probe_inside++; /* this wait is not the program's */
        forks_within = !locks_take();
        probe_inside--;
    }
    if (!forks_within) {
        probe_inside++;
    }
}

static void tables_before_fork(void)
{
    if (started && !forks_within) {
        probe_lock_waits_fork_prepare();
        probe_resources_fork_prepare();
        probe_recorder_fork_prepare();
    }
}

static void tables_after_fork_in_parent(void)
{
    if (started && !forks_within) {
        probe_recorder_fork_parent();
        probe_resources_fork_parent();
    }
}

static void after_fork_in_parent(void)
{
    if (forks_within) {
        forks_within = false;
        return;
    }
    if (--probe_inside == 0) {
        probe_work_give();
        pthread_mutex_unlock(&probe_agent.lock);
    }
}

/* The child has the calling thread alone, and a copy of everything else. */
static void tables_after_fork_in_child(void)
{
    if (started && forks_within) {
        /* Nothing that the probe has noted can be relied on. */
        probe_active = false;
        probe_resources_stop();
    } else if (started) {
        probe_recorder_fork_child();
        probe_resources_fork_child();
        probe_waits_fork_child();
        probe_lock_waits_fork_child();
    }
}

static void after_fork_in_child(void)
{
    if (forks_within) {
        forks_within = false;
        return;
    }
    probe_work_fork_child();
    pthread_mutex_init(&probe_agent.lock, NULL);
    probe_agent.pid = getpid();
    probe_agent.first = false;
    probe_agent.running = false;
    probe_agent.is_late = false;
    probe_agent.paused = 0;
    atomic_store(&probe_agent.main_left, false);
    probe_agent_main_watch();
    atomic_store(&probe_agent.tid, 0);
    if (probe_agent.listener != NULL) {
        probe_listener_close(probe_agent.listener, true);
        probe_agent.listener = NULL;
    }
    probe_maps_fork_child();
    probe_symbols_fork_child();
    probe_figures_fork_child();
    probe_threads_fork_child();
    probe_heap_difference_fork_child();
    probe_reach_fork_child();
    probe_trace_fork_child();
    probe_inside--;
    if (probe_agent.settings.follow_fork && !probe_agent.given_up) {
        probe_waits_wake_up();
    }
}

PROBE_REAL(__register_atfork)

static void tables_register(void)
{
    if (!atomic_exchange(&tables_registered, true)) {
        __register_atfork_real()(tables_before_fork, tables_after_fork_in_parent,
                                 tables_after_fork_in_child, &__dso_handle);
    }
}

/* What pthread_atfork calls in glibc. Constructors of libraries call it before ours. */
PROBE_EXPORT int __register_atfork(void (*prepare)(void), void (*parent)(void),
                                   void (*child)(void), void *library)
{
    tables_register();
    return __register_atfork_real()(prepare, parent, child, library);
}

void probe_agent_fork_start(void)
{
    tables_register();
    started = true;
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}
