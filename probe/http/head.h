/*
 * The head of a request as bytes: its first line and its headers, up to the empty line.
 * Reading is strict (RFC 9112), so that no other HTTP program, such as a proxy, can
 * read the same bytes differently. It knows no connection.
 */
#ifndef PROBE_HTTP_HEAD_H
#define PROBE_HTTP_HEAD_H

#include <stddef.h>

#include "probe/http/request.h"

#define HEAD_BYTES_MAX 16384
#define HEAD_HEADERS_MAX 64

/* Looks for the end of the head in the bytes that have arrived, from *scanned on, which
 * it moves: each byte is looked at once. Returns the head's length with its empty line,
 * 0 if the end has not arrived yet, or -EINVAL for a line feed without a carriage
 * return before it. Start with *scanned = 0. */
long probe_head_find(const char *bytes, size_t length, size_t *scanned);

/* Splits a head of `length` bytes, found by probe_head_find, in place, and fills in
 * method, version, target, path, query and headers of the request; the texts point into
 * the head. Returns NULL, or what is wrong with it: a text for a person. The request is
 * then not complete. */
const char *probe_head_split(char *head, size_t length,
                             struct request_header headers[HEAD_HEADERS_MAX],
                             struct request *request);

#endif
