/*
 * One connection to one server, kept open: the judge's own connection must not come
 * and go in the descriptor counts that it judges. Where the server closes it without
 * saying so, each request gets a connection of its own. It follows no redirect and uses
 * no proxy, and a reply has limits in size and time.
 */
#ifndef LEAKCHECK_MEASURE_HTTP_H
#define LEAKCHECK_MEASURE_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/failure.h"
#include "base/size.h"

#define HTTP_REPLY_MAX (64 * MIB) /* bytes */
#define HTTP_TIMEOUT_MS 15000

/* Lives in memory that the caller owns. `handle` is a CURL easy handle. */
struct http {
    void *handle;
    char given[512]; /* the URL as the user gave it, maybe with a password: never shown
                      */
    char base[512];  /* "http://127.0.0.1:8080", no slash at the end, no password */
    bool fresh;      /* each request on a connection of its own */
    int64_t deadline_ms; /* of the whole run, by clock_now_ms(); INT64_MAX: none */
    long time_ms;        /* how long the newest request could take */
};

struct http_reply {
    long status;
    struct buffer body;
};

/* Takes a URL of http or https; a user and password in it are sent with each request
 * (HTTP Basic), and left out of all messages. Nothing is sent yet. */
int http_open(struct http *http, const char *url, struct failure *failure);

/* Sets when the run must be over, by clock_now_ms(). A request takes HTTP_TIMEOUT_MS at
 * most, and no longer than until then; past it every request fails with -ETIMEDOUT. */
void http_deadline(struct http *http, int64_t deadline_ms);

/* The TCP port that requests go to, and our own port of the newest connection; 0 if it
 * is not known. */
unsigned http_port(const struct http *http);
unsigned http_local_port(const struct http *http);

/* Closes the connection; a closed one may be closed again. */
void http_close(struct http *http);

/* Fetches base + path. Returns 0 with whatever status the server sent, or -errno when
 * no whole reply came. `reply` is { 0 } or used before, and the caller's to release. */
int http_get(struct http *http, const char *path, struct http_reply *reply,
             struct failure *failure);
int http_post(struct http *http, const char *path, const char *body,
              struct http_reply *reply, struct failure *failure);

/* As http_get, and any status but 200 is a failure that says what the server said:
 * -EAGAIN for 503, -ENOENT for 404 and 501, -EPROTO for the rest. */
int http_get_ok(struct http *http, const char *path, struct http_reply *reply,
                struct failure *failure);

void http_reply_release(struct http_reply *reply);

#endif
