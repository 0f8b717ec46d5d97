#include "probe/preload/agent_main_end.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "probe/preload/agent.h"
#include "probe/preload/agent_state.h"

/* Runs when the main thread ends but the process does not: by pthread_exit or
 * thrd_exit, or cancelled. The process then ends with its last thread, which the agent
 * must not be. */
static void main_ends(void *unused)
{
    (void)unused;
    if (probe_agent_is_to_stop() && gettid() == probe_agent.pid) {
        atomic_store(&probe_agent.main_left, true);
        probe_agent_pause(); /* so that the agent looks at its clock again */
        probe_agent_resume();
    }
}

void probe_agent_main_watch(void)
{
    if (probe_agent.watches_main) {
        pthread_setspecific(probe_agent.main_key, &probe_agent);
    }
}

void probe_agent_main_end_start(void)
{
    probe_agent.watches_main =
        gettid() == probe_agent.pid &&
        pthread_key_create(&probe_agent.main_key, main_ends) == 0;
    probe_agent_main_watch();
}
