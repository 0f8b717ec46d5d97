/*
 * The head of a reply as bytes, the same from every HTTP server that has the pages.
 */
#ifndef PROBE_HTTP_REPLY_HEAD_H
#define PROBE_HTTP_REPLY_HEAD_H

#include <stddef.h>

#include "probe/http/reply.h"

/* Writes status line and headers, with the empty line, into `text`. Says that the
 * connection ends if reply->closes. Returns the length; 0 if `size` bytes are not
 * enough: no page makes a head of more than 2 KiB. */
size_t probe_reply_head(const struct reply *reply, char *text, size_t size);

#endif
