/*
 * A plain HTTP request, as the checks and the pages see it. The HTTP server fills it
 * in, so nothing here depends on a particular one. Trust nothing in it before the
 * checks of check.h have passed.
 */
#ifndef PROBE_HTTP_REQUEST_H
#define PROBE_HTTP_REQUEST_H

#include <stddef.h>

#include "probe/http/site.h"

#define REQUEST_BODY_MAX 65536 /* bytes */

enum request_method {
    METHOD_OTHER = 0, /* one that no route takes */
    METHOD_GET = 1,
    METHOD_HEAD = 2,
    METHOD_POST = 4,
};

struct request_header {
    const char *name;
    const char *value;
};

/* The HTTP server owns all texts. They outlive the reply. */
struct request {
    const struct site *site; /* the server that received it */
    int other_port;          /* another port of this server; 0: none */
    enum request_method method;
    const char *version; /* "1.1" */
    const char *target;  /* as received: "/status?x=1", "http://localhost/status" */
    const char *path;    /* "/leak/slice-prefix": points into `target` */
    const char *query;   /* what follows '?'; "" if nothing does */
    const struct request_header *headers;
    size_t header_count;
    const char *body; /* the whole body, ended by a '\0'; NULL if there is none */
    size_t body_bytes;
};

/* The method of a name: "GET" gives METHOD_GET. Names are case-sensitive, as in
 * HTTP. */
enum request_method probe_request_method(const char *name);

/* The value of a header, the last one if there are several; NULL if there is none.
 * Writes their number to ret_count (may be NULL). The case of the name does not
 * matter. */
const char *probe_request_header(const struct request *request, const char *name,
                                 int *ret_count);

#endif
