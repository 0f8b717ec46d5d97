/*
 * The reply to a request. A page fills it in; the HTTP server sends it. There is one
 * function for each kind of reply: static data, a buffer, a text, an error.
 */
#ifndef PROBE_HTTP_REPLY_H
#define PROBE_HTTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "probe/http/request.h"

#define REPLY_TEXT "text/plain; charset=utf-8"
#define REPLY_HTML "text/html; charset=utf-8"
#define REPLY_JSON "application/json"

/* The hint where a file of the kernel is missing. */
#define REPLY_NO_PROC "the probe reads the kernel's files: mount /proc"
#define REPLY_BYTES "application/octet-stream"

#define REPLY_HEADERS_MAX 1024 /* bytes */

/* Lives in memory that the caller owns. */
struct reply {
    const struct request *request;
    int status;       /* such as 200; 0: no page has answered yet */
    const char *type; /* of the data */
    const char *data;
    size_t bytes;
    bool closes;        /* the connection is closed after this reply */
    const char *reader; /* the origin of a page that may read this, though it is not of
                           this address; NULL: none. The request owns it */
    char headers[REPLY_HEADERS_MAX]; /* further header lines, each ended by CRLF */

    struct buffer owned;  /* what `data` points into, unless that is static */
    char *text;           /* the same, from malloc */
    char last_words[256]; /* the error's text when there is no memory for either */
};

/* Sets up an empty reply. `request` must outlive it. */
void probe_reply_init(struct reply *reply, const struct request *request);

/* Frees what the reply owns. */
void probe_reply_release(struct reply *reply);

/* Replies with data that lives at least as long as the reply. */
void probe_reply_static(struct reply *reply, const char *type, const char *data,
                        size_t bytes);

/* Adds a header line to a reply that has its data already. The value must be free of
 * CR and LF. */
void probe_reply_header(struct reply *reply, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Replies with the contents of the buffer; the reply then owns them, and the buffer is
 * empty. If the buffer has failed, replies that memory is short (503). */
void probe_reply_buffer(struct reply *reply, const char *type, struct buffer *buffer);

/* Replies with a text from malloc, which the reply then owns. */
void probe_reply_text(struct reply *reply, int status, const char *type, char *text,
                      size_t bytes);

/* Replies with an error; all errors have the same form. The message can hold text from
 * a client: it is cut at 511 bytes, and bytes that are not printable ASCII are escaped.
 * `hint` says what to do next. */
void probe_reply_error(struct reply *reply, int status, const char *code,
                       const char *hint, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Replies 503, memory is short. Allocates nothing. */
void probe_reply_no_memory(struct reply *reply);

/* Replies 503: /proc could not be read, because of `error` (-errno). */
void probe_reply_uncounted(struct reply *reply, int error);

/* Replies 405 with the Allow header for `methods`, an OR of enum request_method. */
void probe_reply_wrong_method(struct reply *reply, unsigned methods);

#endif
