/*
 * A small HTTP/1.1 server for processes that are not ours: one thread, which the caller
 * owns, and no global state. Each request runs in a coroutine of its own, so a page
 * that waits (a profile over some seconds) does not hold up the others.
 */
#ifndef PROBE_LISTENER_LISTENER_H
#define PROBE_LISTENER_LISTENER_H

#include <stdbool.h>

#include "probe/http/route.h"
#include "probe/http/site.h"

struct listener;

struct listener_settings {
    struct site *site; /* its `sleep` and `owner` become the listener's: owner is the
                          struct listener */
    int port;          /* the first one to try; 0: any free port */
    unsigned ports;    /* how many to try, from `port` on */
    const char *path;  /* of a Unix socket, in place of a port; NULL: none */
    int fd_from;       /* descriptors of the listener get numbers from this one on */
    const struct route *(*find)(const char *path); /* the route of a path, or NULL */
    /* As probe_pages_nearest, for the hint of a path that is none; NULL: no hint. */
    const char *(*nearest)(const char *path, const char *nearest);
    void (*work)(bool begins); /* called, on the listener's thread, with true when it
                                  begins to do anything, and with false before it waits
                                  again. NULL: not needed */
};

/* Opens the socket, on loopback only. Returns 0, and the caller closes the listener; or
 * -errno: -EADDRINUSE if all the ports are taken. */
int probe_listener_open(struct listener **ret_listener,
                        const struct listener_settings *settings);

/* The port; 0 with a Unix socket. */
int probe_listener_port(const struct listener *listener);

/* Serves until probe_listener_stop. Between requests calls `tick` (may be NULL) at the
 * times that it asks for: it gets the time now and returns the next one, clock_now_ns;
 * 0: never. Returns 0 once stopped, or -errno if it can no longer listen. */
int probe_listener_run(struct listener *listener, int64_t (*tick)(int64_t now_ns));

/* Ends probe_listener_run, or the next one if none is running; once, also if called
 * several times before that run returns. It ends soon: at once, unless a page is in the
 * middle of its work (one that only waits gets -ECANCELED). May be called from any
 * thread, and from a signal handler. Connections stay open for the next
 * probe_listener_run, which may be on another thread. */
void probe_listener_stop(struct listener *listener);

/* Takes back a stop that no run has seen. Only while none is running. */
void probe_listener_stop_not(struct listener *listener);

/* Makes probe_listener_run call `tick` soon. May be called as probe_listener_stop. */
void probe_listener_wake(struct listener *listener);

/* For `tick`: closes three descriptors that are only there to be given up, so that it
 * can open files where none is left. They are taken again when it has returned. */
void probe_listener_make_room(struct listener *listener);

/* Closes everything. In a forked child: only the child's copies; a Unix socket's file
 * is then left alone. */
void probe_listener_close(struct listener *listener, bool forked);

#endif
