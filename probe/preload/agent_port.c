#include "probe/preload/agent_port.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "probe/listener/listener.h"
#include "probe/pages/pages.h"
#include "probe/preload/agent_state.h"
#include "probe/preload/agent_thread.h"
#include "probe/preload/agent_work.h"
#include "probe/preload/family.h"
#include "probe/preload/leakprobe.h"
#include "probe/preload/say.h"
#include "probe/process/descriptors.h"
#include "probe/recorder/inside.h"

#define PORTS_TRIED 100

static void on_work(bool begins)
{
    if (begins) {
        probe_work_begin();
    } else {
        probe_work_end();
    }
}

static void url_format(void)
{
    if (probe_agent.settings.socket_path != NULL) {
        snprintf(probe_agent.url, sizeof(probe_agent.url), "unix:%s",
                 probe_agent.socket_path);
    } else {
        snprintf(probe_agent.url, sizeof(probe_agent.url), "http://127.0.0.1:%d/",
                 probe_listener_port(probe_agent.listener));
    }
}

/* Opens the listener at the port that is free, or at the Unix socket `path`. */
static int listener_open(const char *path)
{
    const struct listener_settings settings = {
        .site = &probe_agent.site,
        .port = probe_agent.settings.port,
        .ports = PORTS_TRIED,
        .path = path,
        .fd_from = probe_descriptors_from(),
        .find = probe_pages_find,
        .nearest = probe_pages_nearest,
        .work = on_work,
    };
    int error = probe_listener_open(&probe_agent.listener, &settings);
    if (error != 0) {
        probe_agent.listener = NULL;
    }
    return error;
}

/* Opens the listener at the Unix socket PATH: in a forked child, and if another process
 * answers there, at PATH.PID. */
static int socket_open(void)
{
    const char *wanted = probe_agent.settings.socket_path;
    int error = -EADDRINUSE;
    if (probe_agent.first) {
        snprintf(probe_agent.socket_path, sizeof(probe_agent.socket_path), "%s",
                 wanted);
        error = listener_open(probe_agent.socket_path);
    }
    if (error == -EADDRINUSE) {
        int length = snprintf(probe_agent.socket_path, sizeof(probe_agent.socket_path),
                              "%s.%d", wanted, (int)probe_agent.pid);
        error = length < (int)sizeof(probe_agent.socket_path)
                    ? listener_open(probe_agent.socket_path)
                    : -ENAMETOOLONG;
        if (error == 0 && probe_agent.first) {
            probe_say("%s is taken, this process has %s", wanted,
                      probe_agent.socket_path);
        }
    }
    return error;
}

/* Opens the debug port, starts the thread, and says the address. */
static int port_open(void)
{
    int error =
        probe_agent.settings.socket_path != NULL ? socket_open() : listener_open(NULL);
    if (error != 0) {
        return error;
    }
    url_format();
    error = probe_agent_thread_start();
    if (error != 0) {
        probe_listener_close(probe_agent.listener, false);
        probe_agent.listener = NULL;
        return error;
    }
    int port = probe_listener_port(probe_agent.listener);
    if (probe_agent.first && probe_agent.settings.port != 0 && port != 0 &&
        port != probe_agent.settings.port) {
        probe_say("port %d is taken, the next free one is %d",
                  probe_agent.settings.port, port);
    }
    probe_family_join(probe_agent.name, probe_agent.url);
    probe_say("%s, pid %d: %s", probe_agent.name, (int)probe_agent.pid,
              probe_agent.url);
    return 0;
}

void probe_agent_port_open(void)
{
    int error = port_open();
    if (error != 0) {
        probe_say("%s, pid %d: no debug port: %s", probe_agent.name,
                  (int)probe_agent.pid, strerror(-error));
    }
}

const char *leakprobe_url(void)
{
    return probe_active && probe_agent.listener != NULL ? probe_agent.url : NULL;
}
