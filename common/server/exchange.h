/*
 * One request and its reply on a civetweb connection: what came is checked and filled
 * into a plain request, the page's reply is sent.
 */
#ifndef LAB_SERVER_EXCHANGE_H
#define LAB_SERVER_EXCHANGE_H

#include <stdbool.h>

struct lab;
struct mg_connection;

/* Serves the request that has come on `connection`. `other_port` is the server's other
 * port; 0: none. */
void exchange_serve(struct mg_connection *connection, struct lab *lab, bool debug_port,
                    int other_port);

/* Answers what civetweb could not read as a request, and closes the connection. */
void exchange_refuse(struct mg_connection *connection, struct lab *lab, int status,
                     const char *message);

#endif
