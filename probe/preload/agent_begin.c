/*
 * The agent's beginning, before main, and its end, with the program. The order of
 * events:
 *
 *   constructor:   settings, recorder, threads, listener, thread; says the address
 *   fork:          agent_fork.h
 *   set*id, ...:   pause, resume (process_calls.c); the thread may be late for both
 *                  (agent_thread.h)
 *   destructor:    the file of --at-exit; the thread ends
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/figures/memory_trace.h"
#include "probe/listener/listener.h"
#include "probe/preload/agent.h"
#include "probe/preload/agent_fork.h"
#include "probe/preload/agent_instruments.h"
#include "probe/preload/agent_main_end.h"
#include "probe/preload/agent_port.h"
#include "probe/preload/agent_state.h"
#include "probe/preload/agent_work.h"
#include "probe/preload/exit_file.h"
#include "probe/preload/family.h"
#include "probe/preload/leakprobe.h"
#include "probe/preload/malloc_calls.h"
#include "probe/preload/next_program.h"
#include "probe/preload/say.h"
#include "probe/preload/settings.h"
#include "probe/process/descriptors.h"
#include "probe/recorder/inside.h"
#include "probe/recorder/recorder.h"
#include "probe/recorder/visit.h"
#include "probe/resources/descriptor_alarm.h"

/* Waits without a debug port have no meaning to a page: it is told to give up. */
static int no_sleep(void *owner, unsigned ms)
{
    (void)owner, (void)ms;
    return -ECANCELED;
}

static void site_fill(void)
{
    static char host_name[256];
    gethostname(host_name, sizeof(host_name) - 1);
    snprintf(probe_agent.name, sizeof(probe_agent.name), "%s",
             program_invocation_short_name);
    probe_agent.site = (struct site){
        .name = probe_agent.name,
        .version = LAB_VERSION,
        .started_ms = clock_now_ms(),
        .bind = "127.0.0.1",
        .host_name = host_name,
        .hints =
            {
                .memory = "the program has no memory left: see ulimit -v",
                .fds = "the program has no descriptor left: see ulimit -n",
                .mappings = "the program has too many mappings",
                .no_profile = "start the program with LEAKPROBE_HEAP=exact, or "
                              "leakprobe --heap exact",
                .no_reach = "start the program with LEAKPROBE_HEAP=exact, or "
                            "leakprobe --heap exact",
                .no_resources = "start the program with LEAKPROBE_RESOURCES=on, or "
                                "leakprobe --resources on",
                .no_build = "this build of the probe has no recorder",
                .dump = "fetch /pprof/heap, and keep it where you like",
                .cross_site = "open the program's own pages, or use curl",
            },
        .sleep = no_sleep,
    };
}

/* Where the probe's descriptors go: high, but below what select can hold, and never so
 * high that the kernel's table of descriptors must grow for them. */
static int descriptors_from(void)
{
    struct rlimit limit = {.rlim_cur = 1024};
    getrlimit(RLIMIT_NOFILE, &limit);
    int end = limit.rlim_cur > 1024 ? 1024 : (int)limit.rlim_cur;
    return end > 128 ? end - 64 : end / 2;
}

/* The loader calls this before main, after the constructors of the libraries that the
 * program itself names. */
__attribute__((constructor)) static void agent_begin(void)
{
    int saved = errno;
    probe_inside++;
    probe_malloc_prepare();
    probe_next_start();
    /* A program with more rights than its user gets no instruments, as the loader has
     * it, too, for LD_PRELOAD. */
    if (getauxval(AT_SECURE) == 0 && probe_settings_wanted()) {
        probe_settings_read(&probe_agent.settings);
        probe_agent.pid = getpid();
        probe_agent.first = true;
        site_fill();
        int error = probe_descriptors_protect(descriptors_from());
        if (error != 0) {
            probe_say("%s, pid %d: /proc cannot be opened: %s", probe_agent.name,
                      (int)probe_agent.pid, strerror(-error));
        }
        probe_agent_instruments_begin();
        probe_agent_main_end_start();
        probe_agent_fork_start();
        probe_active = true;
        if (probe_agent.settings.trace_seconds != 0) {
            (void)probe_memory_trace_begin(probe_agent.name,
                                           probe_agent.settings.trace_seconds);
        }
        pthread_mutex_lock(&probe_agent.lock);
        probe_agent_port_open();
        pthread_mutex_unlock(&probe_agent.lock);
    } else {
        probe_recorder_stop_early();
    }
    probe_malloc_early_end();
    probe_inside--;
    errno = saved;
}

/* Without "%p" only the process that was started writes: its forked children would
 * write over it. */
static bool exit_file_wanted(void)
{
    return probe_agent.settings.at_exit != NULL &&
           (probe_agent.first || strstr(probe_agent.settings.at_exit, "%p") != NULL);
}

/* The loader calls this when the program has returned from main or called exit, after
 * the program's own last functions; not after _exit or a signal. */
__attribute__((destructor)) static void agent_end(void)
{
    bool within = probe_inside != 0 && !probe_agent_is_this_thread();
    if (!probe_active || !probe_agent_is_own_process() || within) {
        return; /* within: as for fork, a handler has called exit in the probe */
    }
    struct probe_visit visit = probe_visit_begin();
    if (exit_file_wanted()) {
        probe_exit_file_write(probe_agent.settings.at_exit, probe_agent.name,
                              probe_agent.pid, probe_agent.given_up);
    }
    pthread_mutex_lock(&probe_agent.lock);
    probe_family_leave();
    probe_agent.given_up = true;
    if (probe_agent.running && !probe_agent_is_this_thread()) {
        probe_listener_stop(probe_agent.listener);
        const struct timespec until = probe_patience_end();
        if (pthread_clockjoin_np(probe_agent.thread, NULL, CLOCK_MONOTONIC, &until) ==
            0) {
            probe_listener_close(probe_agent.listener, false);
            probe_fd_alarm_end();
        }
    }
    pthread_mutex_unlock(&probe_agent.lock);
    probe_visit_end(visit);
}

const char *leakprobe_version(void)
{
    return LAB_VERSION;
}
