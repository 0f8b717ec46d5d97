/*
 * Routes: which page answers which path with which methods.
 */
#ifndef PROBE_HTTP_ROUTE_H
#define PROBE_HTTP_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "probe/http/reply.h"
#include "probe/http/request.h"

/* A page: fills in the reply to a request that has passed all checks. */
typedef void page(const struct request *request, struct reply *reply);

struct route {
    const char *path; /* a '*' at the end stands for any further text */
    unsigned methods; /* OR of enum request_method */
    bool acts;        /* it changes something: pages of other origins may not use it */
    page *page;
};

#define ROUTE_READS ((unsigned)METHOD_GET | METHOD_HEAD)

/* The route of a path, or NULL. */
const struct route *probe_route_find(const struct route *routes, size_t count,
                                     const char *path);

/* Answers with the route's page, or with 405 if it does not take the method. */
void probe_route_answer(const struct route *route, const struct request *request,
                        struct reply *reply);

#endif
