/*
 * What the agent's parts have in common: how this process was started, its debug port,
 * and the life of its thread. `lock` guards what is below it.
 */
#ifndef PROBE_PRELOAD_AGENT_STATE_H
#define PROBE_PRELOAD_AGENT_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "probe/http/route.h"
#include "probe/listener/listener.h"
#include "probe/preload/settings.h"

struct agent {
    struct settings settings;
    struct site site;
    char name[64];
    char url[160];
    char socket_path[SETTINGS_SOCKET_MAX];
    pid_t pid;
    bool first; /* this process was started with the probe, not forked */

    pthread_mutex_t lock;
    struct listener *listener;
    pthread_t thread;
    bool running;         /* the thread has been started and not joined */
    bool is_late;         /* its end was asked for, and the next one is to follow it */
    atomic_int tid;       /* its number in the kernel; 0: none yet */
    atomic_bool stopping; /* it is to end soon: long work is given up */
    unsigned paused;
    bool given_up;
    unsigned fd_table;      /* of the thread that has started it, and so its own */
    atomic_bool main_left;  /* the main thread has ended */
    pthread_key_t main_key; /* its value's destructor sees that */
    bool watches_main;
};

extern struct agent probe_agent;

/* Takes the lock. Returns false if another thread keeps it: one that forks may wait for
 * a lock of the program that the caller holds. */
bool probe_agent_lock(void);

/* Whether the caller is the agent's thread. */
bool probe_agent_is_this_thread(void);

/* Whether the caller is a thread of the program, in a process with an agent to stop. */
bool probe_agent_is_to_stop(void);

#endif
