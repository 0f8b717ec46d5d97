/*
 * One connection to one server. It stays open, because leakcheck's own connection must
 * not change the descriptor counts that it measures. If the server closes it without
 * notice, each request gets a new connection. Redirects are not followed, no proxy is
 * used, and a reply is limited in size and time.
 */
#ifndef LEAKCHECK_MEASURE_HTTP_H
#define LEAKCHECK_MEASURE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/failure.h"
#include "base/size.h"

#define HTTP_REPLY_MAX (64 * MIB) /* bytes */
#define HTTP_TIMEOUT_MS 15000

/* Lives in memory that the caller owns. `handle` is a CURL easy handle. */
struct http {
    void *handle;
    char given[512];     /* the user's URL, perhaps with a password: never shown */
    char base[512];      /* "http://127.0.0.1:8080", no slash at the end, no password */
    bool fresh;          /* each request uses a new connection */
    int64_t deadline_ms; /* end of the whole run (clock_now_ms); INT64_MAX: none */
    long time_ms;        /* the time limit of the last request */
};

struct http_reply {
    long status;
    struct buffer body;
};

/* Prepares requests to a URL of http or https. A user and password in it are sent with
 * each request (HTTP Basic), and never shown in messages. Sends nothing yet. Returns 0
 * or -errno; after 0 the caller calls http_close. */
int http_open(struct http *http, const char *url, struct failure *failure);

/* Sets the time when the run must end (clock_now_ms). A request takes at most
 * HTTP_TIMEOUT_MS and ends by then; after that time every request fails with
 * -ETIMEDOUT. */
void http_deadline(struct http *http, int64_t deadline_ms);

/* The server's TCP port, and the local port of the last connection; 0 if not known. */
unsigned http_port(const struct http *http);
unsigned http_local_port(const struct http *http);

/* Whether the server has closed the connection since the last request, or sent
 * something that nobody asked for. */
bool http_is_hung_up(const struct http *http);

/* Closes the connection; the next request opens another one. */
void http_hang_up(struct http *http);

/* Closes the connection, and ends its use. May be called again. */
void http_close(struct http *http);

/* Fetches base + path. Returns 0 for a complete reply of any status, or -errno. `reply`
 * must be { 0 } or an earlier reply; the caller releases it. */
int http_get(struct http *http, const char *path, struct http_reply *reply,
             struct failure *failure);
int http_post(struct http *http, const char *path, const char *body,
              struct http_reply *reply, struct failure *failure);

/* One request with all that can be said of it. */
struct http_request {
    const char *method; /* "POST" */
    const char *path;
    const char *body;           /* NULL: none */
    const char *const *headers; /* "Name: value" */
    size_t header_count;
};

/* Sends it. As http_get. */
int http_send(struct http *http, const struct http_request *request,
              struct http_reply *reply, struct failure *failure);

/* Only connects, so that the server accepts. The connection stays open until
 * http_close, and is of no other use. Returns 0, -ECONNREFUSED if there is no server
 * yet, or another -errno. */
int http_connect(struct http *http, struct failure *failure);

/* Writes why a reply is no success: the server's own message, or the start of the
 * body. Returns -EAGAIN for 503, -ENOENT for 404 and 501, -EPROTO for others. */
int http_refusal(const struct http *http, const char *path,
                 const struct http_reply *reply, struct failure *failure);

/* The same as http_get, but a status other than 200 is a failure, as
 * http_refusal says. */
int http_get_ok(struct http *http, const char *path, struct http_reply *reply,
                struct failure *failure);

/* Frees the body; { 0 } is allowed. */
void http_reply_release(struct http_reply *reply);

#endif
