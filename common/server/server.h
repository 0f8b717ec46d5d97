/*
 * The HTTP server: two ports over one table of routes. The debug port has threads of
 * its own, so that it answers even when every thread of the main port is held.
 */
#ifndef LAB_SERVER_SERVER_H
#define LAB_SERVER_SERVER_H

#include <stddef.h>

#include "server/settings.h"

struct server;

/* Starts to listen. The settings and what they point to must outlive the server. There
 * is one server in a process. Returns 0; or -errno, and `message` says in words what
 * is wrong. */
int server_start(struct server **ret_server, const struct server_settings *settings,
                 char *message, size_t message_size);

/* The ports that were bound; the debug port is -1 if it is off. */
int server_port(const struct server *server);
int server_debug_port(const struct server *server);

/* Ends what requests wait for, waits for the requests under way, and stops listening.
 * Takes about two seconds: civetweb looks for a stop that often. */
void server_stop(struct server *server);

#endif
