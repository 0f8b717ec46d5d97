/*
 * The origin of a web page, as a browser names it in the header Origin (RFC 6454):
 * "http://localhost:8080". Pages with the same origin may read and control each other.
 */
#ifndef PROBE_HTTP_ORIGIN_H
#define PROBE_HTTP_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>

/* The scheme is always http: these servers have no https. */
struct origin {
    char host[256]; /* in lower case */
    unsigned port;  /* 1 to 65535; 0: no origin */
};

/* Parses "http://HOST" or "http://HOST:PORT", with nothing after it. The default port
 * is 80. HOST is a name or an IPv4 address. Returns 0 or -EINVAL. */
int probe_origin_parse(const char *text, size_t length, struct origin *ret_origin);

/* Parses "HOST" or "HOST:PORT", as in the header Host. Returns 0 or -EINVAL. */
int probe_origin_parse_host(const char *text, size_t length, struct origin *ret_origin);

/* Whether both are the same. "localhost" and "127.0.0.1" are different, as they are for
 * a browser. */
bool probe_origin_equal(const struct origin *a, const struct origin *b);

/* Whether both name the same server: they are equal, or both are names of this
 * machine's loopback with the same port. A person may type either of them. */
bool probe_origin_same_server(const struct origin *a, const struct origin *b);

#endif
