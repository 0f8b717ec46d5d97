#include "probe/preload/agent_instruments.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/range.h"
#include "probe/calls/calls.h"
#include "probe/listener/listener.h"
#include "probe/locks/lock_waits.h"
#include "probe/pages/pages.h"
#include "probe/preload/agent.h"
#include "probe/preload/agent_port.h"
#include "probe/preload/agent_state.h"
#include "probe/preload/agent_thread.h"
#include "probe/preload/family.h"
#include "probe/preload/malloc_calls.h"
#include "probe/preload/process_calls.h"
#include "probe/preload/say.h"
#include "probe/preload/wait_calls.h"
#include "probe/preload/waits.h"
#include "probe/process/loaded_code.h"
#include "probe/recorder/recorder.h"
#include "probe/recorder/visit.h"
#include "probe/resources/descriptor_alarm.h"
#include "probe/resources/mapping_notes.h"
#include "probe/resources/resources.h"
#include "probe/resources/thread_notes.h"
#include "probe/symbols/symbols.h"
#include "probe/threads/threads.h"

/* How long a program that opens many descriptors at once takes for it. */
#define BURST_NS (10 * CLOCK_NS_PER_MS)

/* The first wait of a forked child, or one after the thread was late: see waits.h. */
static void on_first_wait(void)
{
    struct probe_visit visit = probe_visit_begin();
    if (!probe_agent_lock()) {
        probe_waits_wake_up(); /* at a later wait */
        probe_visit_end(visit);
        return;
    }
    bool wanted =
        !probe_agent.given_up && probe_agent.paused == 0 && getpid() == probe_agent.pid;
    if (wanted && probe_agent.is_late) {
        probe_agent_thread_follow();
    } else if (wanted && probe_agent.listener == NULL && !probe_agent.first &&
               probe_agent.settings.follow_fork) {
        probe_agent_port_open();
    }
    pthread_mutex_unlock(&probe_agent.lock);
    probe_visit_end(visit);
}

/* Wakes the thread because there are many descriptors. If it does not run now, it looks
 * when it starts. */
static bool on_many_descriptors(void)
{
    struct probe_visit visit = probe_visit_begin();
    bool taken = pthread_mutex_trylock(&probe_agent.lock) == 0;
    if (taken) {
        if (probe_agent.listener != NULL && probe_agent.running) {
            probe_listener_wake(probe_agent.listener);
        }
        pthread_mutex_unlock(&probe_agent.lock);
    }
    probe_visit_end(visit);
    return taken;
}

static void descriptors_say(const char *line)
{
    probe_say("%s, pid %d: %s", probe_agent.name, (int)probe_agent.pid, line);
}

static void recorder_begin(void)
{
    struct range own = probe_loaded_code((uintptr_t)recorder_begin);
    probe_recorder_skip(own.start, own.end);
    if (probe_agent.settings.heap == RECORDER_OFF) {
        probe_recorder_stop_early();
        return;
    }
    if (!probe_malloc_seen()) {
        probe_say(
            "%s, pid %d: its allocator is part of the program, so the heap is not "
            "seen",
            probe_agent.name, (int)probe_agent.pid);
        probe_agent.site.hints.no_reach = probe_agent.site.hints.no_profile =
            "its allocator is part of the program's own file, "
            "where no library can stand before it";
        probe_recorder_stop_early();
        return;
    }
    int error =
        probe_recorder_start(probe_agent.settings.heap, probe_agent.settings.period);
    if (error != 0) {
        probe_say(
            "%s, pid %d: no heap profile: %s", probe_agent.name, (int)probe_agent.pid,
            error == -ENOSYS ? "libunwind.so.8 cannot be opened (package libunwind8)"
                             : strerror(-error));
    }
}

/* Whether the program calls our functions of locks. */
static bool locks_are_seen(void)
{
    uintptr_t found = (uintptr_t)dlsym(RTLD_DEFAULT, "pthread_mutex_lock");
    return found >= (uintptr_t)probe_calls_begin && found < (uintptr_t)probe_calls_end;
}

static void resources_begin(void)
{
    if (!probe_agent.settings.resources) {
        return;
    }
    int error = probe_resources_start();
    probe_lock_waits_start(
        locks_are_seen() ? NULL : "the program has a pthread_mutex_lock of its own");
    if (error == 0) {
        probe_thread_notes_start();
        probe_mapping_notes_start();
    } else {
        probe_say("%s, pid %d: no profiles of descriptors and the like: %s",
                  probe_agent.name, (int)probe_agent.pid,
                  error == -ENOSYS
                      ? "libunwind.so.8 cannot be opened (package libunwind8)"
                      : strerror(-error));
        return;
    }
    probe_fd_alarm_start(on_many_descriptors, descriptors_say, BURST_NS);
}

void probe_agent_instruments_begin(void)
{
    recorder_begin();
    resources_begin();
    int error = probe_threads_start();
    probe_wait_calls_before(probe_process_number_begins, probe_agent_jumped);
    error = error != 0 ? error : probe_waits_start(on_first_wait);
    if (error != 0) {
        probe_say("%s, pid %d: no thread profile: %s", probe_agent.name,
                  (int)probe_agent.pid, strerror(-error));
    }
    probe_symbols_read_when_needed(probe_agent_is_stopping);
    (void)probe_family_start(); /* without it every process is alone */
    probe_page_index_extend(probe_family_add);
}
