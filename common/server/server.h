/*
 * The HTTP server: two ports with one table of routes. The debug port has its own
 * threads, so it answers even when every thread of the main port is busy.
 */
#ifndef LAB_SERVER_SERVER_H
#define LAB_SERVER_SERVER_H

#include <stddef.h>

#include "server/settings.h"

struct server;

/* Starts to listen. The settings and what they point to must outlive the server. A
 * process has at most one server. The caller ends it with server_stop. Returns 0; or
 * -errno, with an explanation in `message` (`message_size` bytes). */
int server_start(struct server **ret_server, const struct server_settings *settings,
                 char *message, size_t message_size);

/* The port numbers in use; the debug port is -1 if it is off. */
int server_port(const struct server *server);
int server_debug_port(const struct server *server);

/* Ends the waits inside requests, waits for running requests, stops listening, and
 * frees the server. */
void server_stop(struct server *server);

#endif
