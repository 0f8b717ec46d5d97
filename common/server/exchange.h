/*
 * One request and its reply on a civetweb connection: copies what civetweb has read
 * into a plain request, checks it, and sends the page's reply.
 */
#ifndef LAB_SERVER_EXCHANGE_H
#define LAB_SERVER_EXCHANGE_H

#include <stdbool.h>

struct lab;
struct mg_connection;

/* Serves the request that civetweb has read from `connection`. `debug_port` says which
 * port it came to; `other_port` is the server's other one, 0: none. */
void exchange_serve(struct mg_connection *connection, struct lab *lab, bool debug_port,
                    int other_port);

/* Replies with an error to bytes that civetweb could not read as a request, and closes
 * the connection. */
void exchange_refuse(struct mg_connection *connection, struct lab *lab, int status,
                     const char *message);

#endif
