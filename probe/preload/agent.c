#include "probe/preload/agent.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "probe/listener/listener.h"
#include "probe/preload/agent_state.h"
#include "probe/preload/agent_thread.h"
#include "probe/preload/agent_work.h"
#include "probe/preload/family.h"
#include "probe/preload/say.h"
#include "probe/recorder/inside.h"
#include "probe/recorder/recorder.h"
#include "probe/recorder/visit.h"
#include "probe/symbols/symbols.h"

/* How many pauses of this thread there could not be. */
static _Thread_local unsigned not_paused;

void probe_agent_pause(void)
{
    if (!probe_agent_is_to_stop()) {
        return;
    }
    struct probe_visit visit = probe_visit_begin();
    if (!probe_agent_lock()) {
        not_paused++;
        probe_visit_end(visit);
        return;
    }
    if (probe_agent.paused++ == 0 && probe_agent.running) {
        probe_agent_thread_stop();
    }
    pthread_mutex_unlock(&probe_agent.lock);
    probe_visit_end(visit);
}

void probe_agent_resume(void)
{
    if (!probe_agent_is_to_stop()) {
        return;
    }
    struct probe_visit visit = probe_visit_begin();
    if (not_paused > 0) {
        not_paused--;
        probe_visit_end(visit);
        return;
    }
    pthread_mutex_lock(&probe_agent.lock);
    if (--probe_agent.paused == 0 && probe_agent.listener != NULL &&
        !probe_agent.given_up) {
        probe_agent_thread_start_again();
    }
    pthread_mutex_unlock(&probe_agent.lock);
    probe_visit_end(visit);
}

struct agent_hold probe_agent_hold(void)
{
    struct agent_hold hold = {.work = WORK_NOT_HELD};
    if (probe_inside == 0 && probe_agent_is_to_stop()) {
        hold.visit = probe_visit_begin();
        hold.work = probe_work_hold();
        if (hold.work == WORK_NOT_HELD) {
            probe_visit_end(hold.visit);
        }
    }
    return hold;
}

void probe_agent_let_go(struct agent_hold hold)
{
    if (hold.work != WORK_NOT_HELD) {
        int now = errno;
        probe_work_let_go(hold.work);
        hold.visit.error = now;
        probe_visit_end(hold.visit);
    }
}

void probe_agent_stand_aside(const char *why)
{
    if (!probe_agent_is_to_stop()) {
        return;
    }
    struct probe_visit visit = probe_visit_begin();
    pthread_mutex_lock(&probe_agent.lock);
    if (probe_agent.running) {
        probe_agent_thread_stop();
        probe_family_leave();
        if (!probe_agent.running) {
            probe_listener_close(probe_agent.listener, false);
            probe_agent.listener = NULL;
        } /* else its thread uses it until it ends, which is soon */
        probe_say("%s, pid %d: stands aside: %s", probe_agent.name,
                  (int)probe_agent.pid, why);
    }
    probe_agent.given_up = true;
    pthread_mutex_unlock(&probe_agent.lock);
    probe_visit_end(visit);
}

void probe_agent_jumped(void)
{
    if (probe_inside != 0 && probe_agent_is_to_stop()) {
        probe_recorder_jumped();
    }
}

bool probe_agent_has_thread(void)
{
    return probe_agent_is_to_stop() && atomic_load(&probe_agent.tid) != 0 &&
           probe_agent.running;
}

void probe_agent_before_chroot(void)
{
    if (!probe_agent_is_to_stop()) {
        return;
    }
    struct probe_visit visit = probe_visit_begin();
    if (probe_work_take()) {
        probe_symbols_read_all();
        probe_work_give();
    }
    probe_visit_end(visit);
}
