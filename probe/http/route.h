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

/* The path of these routes that is most like a path that is none, if that is more like
 * it than `nearest`; else `nearest`, which may be NULL: none is like it. Paths with a
 * '*' are left out. */
const char *probe_route_nearest(const struct route *routes, size_t count,
                                const char *path, const char *nearest);

/* Writes what to do after a path that is none: `here`, and the nearest path if there is
 * one. */
void probe_route_hint(char *ret_hint, size_t size, const char *here,
                      const char *nearest);

/* Answers with the route's page, or with 405 if it does not take the method. */
void probe_route_answer(const struct route *route, const struct request *request,
                        struct reply *reply);

#endif
