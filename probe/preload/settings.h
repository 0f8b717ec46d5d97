/*
 * What the environment asks of the probe: LEAKPROBE_PORT and its like. The launcher
 * sets the same variables.
 */
#ifndef PROBE_PRELOAD_SETTINGS_H
#define PROBE_PRELOAD_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

#include "probe/recorder/recorder.h"

struct settings {
    bool quiet; /* LEAKPROBE_QUIET=1 */
    int port;   /* LEAKPROBE_PORT: the first to try; 0: any free one */
    const char
        *socket_path; /* LEAKPROBE_UNIX: a Unix socket in place of a port; NULL */
    enum recorder_mode heap; /* LEAKPROBE_HEAP=exact|sampled[=SIZE]|off */
    size_t period;           /* bytes, for `sampled` */
    bool resources;          /* LEAKPROBE_RESOURCES=on|off */
    bool follow_fork;        /* LEAKPROBE_FOLLOW_FORK=on|off */
    const char *at_exit; /* LEAKPROBE_AT_EXIT: a file, "%p" stands for the pid; NULL */
    unsigned trace_seconds; /* LEAKPROBE_TRACE_MEMORY; 0: no lines */
};

#define SETTINGS_PORT 6060
#define SETTINGS_SOCKET_MAX (sizeof(((struct sockaddr_un *)0)->sun_path))

/* Whether this program is one of those in LEAKPROBE_ONLY ("nginx:redis-server"): by the
 * name that it was started with, its file's name, or the kernel's name for it. Without
 * the variable every program is; it is then set to this program's name, so that other
 * programs that this one starts are not followed. */
bool probe_settings_wanted(void);

/* Reads the variables, whose texts are copied. A value that is wrong is said on
 * standard error, and the default is taken: the program runs all the same. */
void probe_settings_read(struct settings *ret_settings);

/* Whether every block is to be recorded, also before the probe has started: what the
 * constructors of libraries allocate may hold blocks of the program. Asked once, at the
 * first allocation after the C library has its environment. It may be missing: then it
 * is as if it were false. */
bool probe_early_wanted(void) __attribute__((weak, visibility("hidden")));

#endif
