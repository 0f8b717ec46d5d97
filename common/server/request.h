/*
 * A request as handlers see it, and everything that is checked before a handler runs:
 * framing, Host, cross-site, body, parameters. Nothing of a client is trusted.
 */
#ifndef LAB_SERVER_REQUEST_H
#define LAB_SERVER_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mg_connection;
struct server;

#define REQUEST_BODY_MAX 65536 /* bytes */
#define REQUEST_TEXT_MAX 128   /* bytes of a text parameter */

enum request_method {
    METHOD_GET = 1,
    METHOD_HEAD = 2,
    METHOD_POST = 4,
};

struct request {
    struct mg_connection *connection;
    struct server *server;
    enum request_method method;
    bool debug_port;   /* it came through the debug port */
    const char *path;  /* "/leak/slice-prefix", only plain characters */
    const char *query; /* what follows '?'; "" if nothing does */
    char *body;        /* the whole body, ended by a NUL; NULL if there is none */
    size_t body_bytes;
    bool closes; /* its reply is the connection's last */
};

enum parameter_type {
    PARAMETER_NUMBER, /* decimal digits */
    PARAMETER_SIZE,   /* digits, and K, M or G */
    PARAMETER_TEXT,   /* 1 to REQUEST_TEXT_MAX printable ASCII characters */
};

/* One parameter that a route takes. The handler fills in the upper part. */
struct parameter {
    const char *name;
    enum parameter_type type;
    uint64_t minimum; /* of a number or size */
    uint64_t maximum;

    bool present;
    uint64_t number;
    char text[REQUEST_TEXT_MAX + 1];
};

/* Checks what came and reads the body. Returns true with *request filled in; the
 * handler's side then calls request_finish. Otherwise the error has been sent. */
bool request_init(struct request *request, struct mg_connection *connection,
                  struct server *server, bool debug_port);

void request_finish(struct request *request);

/* Reads the parameters from the query, and from the body of a POST that is a form. Each
 * may be given once; others than these are an error. Returns true; or false when the
 * error (400) has been sent. */
bool request_parameters(struct request *request, struct parameter *parameters,
                        size_t count);

#endif
