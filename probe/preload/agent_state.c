#include "probe/preload/agent_state.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "probe/preload/agent.h"
#include "probe/preload/agent_work.h"
#include "probe/recorder/inside.h"

struct agent probe_agent = {.lock = PTHREAD_MUTEX_INITIALIZER};

bool probe_agent_lock(void)
{
    const struct timespec until = probe_patience_end();
    return pthread_mutex_clocklock(&probe_agent.lock, CLOCK_MONOTONIC, &until) == 0;
}

bool probe_agent_is_own_process(void)
{
    return (pid_t)syscall(SYS_getpid) == probe_agent.pid;
}

bool probe_agent_is_this_thread(void)
{
    return gettid() == atomic_load(&probe_agent.tid);
}

bool probe_agent_is_to_stop(void)
{
    return probe_active && probe_agent_is_own_process() &&
           !probe_agent_is_this_thread();
}
