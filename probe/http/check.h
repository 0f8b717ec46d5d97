/*
 * What is checked before a page sees a request: framing, the name of the server, other
 * sites, the body's length. Each check returns true; or false, with the error in the
 * reply, and the connection must be closed, because what follows on it can't be
 * trusted.
 */
#ifndef PROBE_HTTP_CHECK_H
#define PROBE_HTTP_CHECK_H

#include <stdbool.h>

#include "probe/http/reply.h"
#include "probe/http/request.h"

/* 400 with `fault` as the message. Returns false. */
bool probe_check_refuse(struct reply *reply, const char *fault);

/* One Host, one length, a path of plain characters: what two HTTP programs on the way
 * could not read differently (RFC 9112, "Message Body Length"). */
bool probe_check_framing(const struct request *request, struct reply *reply);

/* The request names this server, not one that a foreign page made up to reach this
 * address (DNS rebinding). */
bool probe_check_host(const struct request *request, struct reply *reply);

/* No other site's page sent it. `acts`: the request changes something. */
bool probe_check_site(const struct request *request, bool acts, struct reply *reply);

/* `bytes` of body are few enough. To be asked before and after it is read. */
bool probe_check_body(struct reply *reply, long long bytes);

#endif
