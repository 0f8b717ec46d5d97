#include "probe/preload/agent_thread.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/figures/memory_trace.h"
#include "probe/listener/listener.h"
#include "probe/preload/agent_state.h"
#include "probe/preload/agent_work.h"
#include "probe/preload/family.h"
#include "probe/preload/say.h"
#include "probe/preload/waits.h"
#include "probe/process/descriptors.h"
#include "probe/recorder/inside.h"
#include "probe/resources/descriptor_alarm.h"
#include "probe/resources/descriptor_tables.h"
#include "probe/resources/thread_notes.h"

#define STACK_BYTES ((size_t)1024 * 1024)
/* How often to look whether only the probe is left, once the main thread has ended. */
#define LAST_LOOK_NS (20 * CLOCK_NS_PER_MS)

/* Whether every thread but the calling one has ended: 1 or 0, or -errno. The main
 * thread stays in the list after its end, in the state Z. */
static int is_alone(void)
{
    char text[512];
    int fd = probe_proc_open("self/stat", O_RDONLY);
    if (fd < 0) {
        return fd;
    }
    ssize_t got = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[got < 0 ? 0 : got] = '\0';
    /* The name may have any characters. Of the fields behind it (proc(5)) the first is
     * the state, and the eighteenth the number of threads. */
    const char *name_end = strrchr(text, ')');
    char state = '\0';
    long threads = 0;
    if (name_end == NULL ||
        sscanf(
            name_end + 1,
            " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld",
            &state, &threads) != 2) {
        return -EPROTO;
    }
    return state == 'Z' && threads <= 2;
}

/* The earlier of two times; 0 is never. */
static int64_t earlier(int64_t one, int64_t other)
{
    return one == 0 || (other != 0 && other < one) ? other : one;
}

static int64_t on_tick(int64_t now_ns)
{
    if (probe_fd_alarm_is_due(now_ns)) {
        probe_listener_make_room(probe_agent.listener);
    }
    int64_t next =
        earlier(probe_memory_trace_tick(now_ns), probe_fd_alarm_tick(now_ns));
    if (atomic_load(&probe_agent.main_left)) {
        int alone = is_alone();
        if (alone > 0) {
            exit(0); /* as the C library does when the last thread ends */
        }
        if (alone < 0) {
            /* Without /proc it is not known when to end the process: so this thread
             * ends, and the C library does it. */
            probe_listener_stop(probe_agent.listener);
            return 0;
        }
        next = earlier(next, now_ns + LAST_LOOK_NS);
    }
    return next;
}

bool probe_agent_is_stopping(void)
{
    return atomic_load(&probe_agent.stopping);
}

static void *thread_main(void *unused)
{
    (void)unused;
    probe_inside = 1; /* for ever: nothing that it does is the program's */
    pthread_setname_np(pthread_self(), "leakprobe");
    probe_thread_own(gettid());
    probe_fd_table_begin(probe_agent.fd_table);
    atomic_store(&probe_agent.tid, gettid());
    int error = probe_listener_run(probe_agent.listener, on_tick);
    if (error != 0) {
        probe_say("%s, pid %d: the debug port is closed: %s", probe_agent.name,
                  (int)probe_agent.pid, strerror(-error));
    }
    return NULL;
}

int probe_agent_thread_start(void)
{
    sigset_t all;
    sigset_t before;
    pthread_attr_t attributes;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    atomic_store(&probe_agent.tid, 0);
    probe_agent.fd_table = probe_fd_table();
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = -pthread_create(&probe_agent.thread, &attributes, thread_main, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    probe_agent.running = error == 0;
    while (error == 0 && atomic_load(&probe_agent.tid) == 0) {
        sched_yield();
    }
    return error;
}

/* The thread was joined. */
static void thread_joined(void)
{
    probe_listener_stop_not(probe_agent.listener);
    atomic_store(&probe_agent.stopping, false);
    probe_agent.running = false;
    probe_agent.is_late = false;
}

void probe_agent_thread_stop(void)
{
    const struct timespec until = probe_patience_end();
    atomic_store(&probe_agent.stopping, true);
    probe_listener_stop(probe_agent.listener);
    if (pthread_clockjoin_np(probe_agent.thread, NULL, CLOCK_MONOTONIC, &until) == 0) {
        thread_joined();
        /* The kernel counts it a little longer. */
        while (syscall(SYS_tgkill, probe_agent.pid, atomic_load(&probe_agent.tid), 0) ==
               0) {
            sched_yield();
        }
    }
}

static void thread_start_or_say(void)
{
    int error = probe_agent_thread_start();
    if (error != 0) {
        /* After unshare(CLONE_NEWPID) the kernel allows no new thread. */
        probe_agent.given_up = true;
        probe_family_leave();
        probe_listener_close(probe_agent.listener, false);
        probe_agent.listener = NULL;
        probe_say("%s, pid %d: stands aside: no thread can be started: %s",
                  probe_agent.name, (int)probe_agent.pid, strerror(-error));
    }
}

void probe_agent_thread_start_again(void)
{
    /* Where it could not be stopped, its end was asked for, and is near. */
    probe_agent.is_late = probe_agent.running;
    if (probe_agent.is_late) {
        probe_waits_wake_up();
    } else {
        thread_start_or_say();
    }
}

void probe_agent_thread_follow(void)
{
    if (pthread_tryjoin_np(probe_agent.thread, NULL) != 0) {
        probe_waits_wake_up();
        return;
    }
    thread_joined();
    thread_start_or_say();
}
