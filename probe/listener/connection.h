/*
 * One connection of the listener: reads requests, lets their pages answer, and sends
 * the replies. Nothing here waits: each function does what can be done now, so one slow
 * client never holds up the others.
 */
#ifndef PROBE_LISTENER_CONNECTION_H
#define PROBE_LISTENER_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "probe/http/head.h"
#include "probe/http/reply.h"
#include "probe/http/request.h"
#include "probe/http/route.h"
#include "probe/listener/coroutine.h"
#include "probe/listener/own_socket.h"

#define CONNECTION_IN_BYTES (HEAD_BYTES_MAX + 4096) /* there is room behind a head */
#define CONNECTION_HEAD_REPLY_MAX 2048

enum connection_phase {
    CONNECTION_READS,   /* a request, or waits for one */
    CONNECTION_WORKS,   /* its page runs, or sleeps */
    CONNECTION_WRITES,  /* the reply */
    CONNECTION_LINGERS, /* all is sent: waits for the client to close, so that it gets
                           the reply whole */
};

/* What all connections of a listener share. */
struct connection_owner {
    const struct site *site;
    const struct route *(*find)(const char *path);
    const char *(*nearest)(const char *path, const char *nearest); /* or NULL */
    bool local;              /* a Unix socket: the name of the server means nothing */
    struct own_socket spare; /* given up before a page runs, so that it can open a file
                                when the program has no descriptor left */
};

/* Lives in memory that the listener owns. Unused while socket.fd is -1. */
struct connection {
    struct connection_owner *owner;
    struct own_socket socket;
    enum connection_phase phase;
    int64_t since_ns;    /* since when it waits for the client */
    int64_t deadline_ns; /* until when it does; clock_now_ns */
    bool ready;          /* there is something to do without waiting */

    char in[CONNECTION_IN_BYTES]; /* what has arrived and is not done with */
    size_t in_bytes;
    size_t scanned;    /* of these, looked through for the end of the head */
    size_t head_bytes; /* of the request that is being read or answered; 0: none yet */
    size_t body_bytes; /* that the request says it has */
    struct buffer body;

    struct request request;
    struct request_header headers[HEAD_HEADERS_MAX];
    struct reply reply;
    const struct route *route;
    struct coroutine *page; /* NULL: no page is running */
    int64_t wake_ns;        /* when the page's sleep ends; 0: it does not sleep */
    bool cancelled;         /* the page's sleeps end at once */

    char head[CONNECTION_HEAD_REPLY_MAX]; /* of the reply */
    size_t head_length;
    size_t sent;      /* of the reply's head and body */
    size_t discarded; /* bytes that came after the last request */
};

/* Sets up a connection on a socket that was accepted. Returns 0, or -errno with the
 * socket closed. */
int probe_connection_open(struct connection *connection, int fd, int fd_from,
                          struct connection_owner *owner);

/* What to poll its socket for: POLLIN, POLLOUT or 0. */
short probe_connection_events(const struct connection *connection);

/* Goes on: `events` is what poll has returned, 0 if nothing. The connection may be
 * closed afterwards. */
void probe_connection_step(struct connection *connection, short events, int64_t now_ns);

/* Called by a page, inside probe_connection_step: lets the others go on for `ms`
 * milliseconds. Returns 0, or -ECANCELED: the page must end. */
int probe_connection_sleep(struct connection *connection, unsigned ms);

/* When probe_connection_step must be called even if nothing happens; clock_now_ns. */
int64_t probe_connection_due(const struct connection *connection);

/* Closes the connection. Its page must have ended. */
void probe_connection_close(struct connection *connection);

#endif
