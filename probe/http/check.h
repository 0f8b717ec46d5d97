/*
 * The checks that a request must pass before a page sees it: framing, the name of the
 * server, other sites, the length of the body. Each check returns true. Or it returns
 * false with the error in the reply; the connection must then be closed, because the
 * bytes that follow cannot be trusted.
 */
#ifndef PROBE_HTTP_CHECK_H
#define PROBE_HTTP_CHECK_H

#include <stdbool.h>

#include "probe/http/reply.h"
#include "probe/http/request.h"

/* Replies 400 with `fault` as the message. Returns false. */
bool probe_check_refuse(struct reply *reply, const char *fault);

/* One Host, one length, a path of plain characters: no two HTTP programs can read such
 * a request differently (RFC 9112, "Message Body Length"). */
bool probe_check_framing(const struct request *request, struct reply *reply);

/* The request names this server. A foreign page can make up a name that leads to this
 * address (DNS rebinding); such a name is refused. */
bool probe_check_host(const struct request *request, struct reply *reply);

/* The request was not sent by another site's page. `acts`: it changes something. */
bool probe_check_site(const struct request *request, bool acts, struct reply *reply);

/* A body of `bytes` bytes is not too long. Check before and after reading it. */
bool probe_check_body(struct reply *reply, long long bytes);

#endif
