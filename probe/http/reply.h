/*
 * The reply to a request: a page fills it in, whoever serves HTTP sends it. There is
 * one function for each kind: static data, a buffer, JSON, an error.
 */
#ifndef PROBE_HTTP_REPLY_H
#define PROBE_HTTP_REPLY_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "probe/http/request.h"

#define REPLY_TEXT "text/plain; charset=utf-8"
#define REPLY_HTML "text/html; charset=utf-8"
#define REPLY_JSON "application/json"
#define REPLY_BYTES "application/octet-stream"

/* Lives in memory that the caller owns. */
struct reply {
    const struct request *request;
    int status;       /* 200; 0: no page has answered yet */
    const char *type; /* of the data */
    const char *data;
    size_t bytes;
    bool closes;      /* it is the connection's last */
    char headers[64]; /* further header lines, each ended by CRLF */

    struct buffer owned;  /* what `data` points into, unless that is static */
    char *text;           /* the same, of JSON: from malloc, as it was made */
    char last_words[256]; /* the same, for when there is no memory for either */
};

/* An empty reply to `request`, which must outlive it. */
void probe_reply_init(struct reply *reply, const struct request *request);

/* Gives back what the reply owns. */
void probe_reply_release(struct reply *reply);

/* Replies with data that lives at least as long as the reply. */
void probe_reply_static(struct reply *reply, const char *type, const char *data,
                        size_t bytes);

/* Replies with what is in the buffer, and leaves that empty. If the buffer failed, the
 * reply says that memory is short. */
void probe_reply_buffer(struct reply *reply, const char *type, struct buffer *buffer);

/* Replies with `json`, indented, and deletes it. If memory was short for any part of it
 * (or it is NULL), the reply says so. */
void probe_reply_json(struct reply *reply, int status, cJSON *json);

/* Replies with the one error shape. The message may hold what a client sent: it is cut
 * at 511 bytes, and what is not printable ASCII is escaped. `hint` says what to do
 * now. */
void probe_reply_error(struct reply *reply, int status, const char *code,
                       const char *hint, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* 503: memory is short. Needs no memory. */
void probe_reply_no_memory(struct reply *reply);

/* 503: /proc could not be read, because of `error`. */
void probe_reply_uncounted(struct reply *reply, int error);

/* 405 with the Allow header for `methods`, an OR of enum request_method. */
void probe_reply_wrong_method(struct reply *reply, unsigned methods);

#endif
