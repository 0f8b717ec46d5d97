/*
 * Replies. There is one function for each kind: JSON, data, error.
 */
#ifndef LAB_SERVER_REPLY_H
#define LAB_SERVER_REPLY_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "server/request.h"

/* The hint of an error at a guard rail begins so where a restart helps. */
#define REPLY_RESTART "what leaked stays: restart the server"
#define REPLY_RESTART_OR_RAISE(option)                                                 \
    REPLY_RESTART ", or start it with a larger " option

/* Sends `json` and deletes it. If memory was short for any part of it (or it is NULL),
 * the reply is 503. */
void reply_json(struct request *request, int status, cJSON *json);

/* Sends `size` bytes of `type`, e.g. "text/plain; charset=utf-8". `headers` are further
 * header lines, each ended by CRLF; "" for none. */
void reply_data(struct request *request, int status, const char *type,
                const char *headers, const void *data, size_t size);

/* Sends the one error shape. The message may hold what a client sent: it is cut at 511
 * bytes, and what is not printable ASCII is escaped. `hint` says what to do now. */
void reply_error(struct request *request, int status, const char *code,
                 const char *hint, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* The same when the rest of the connection can't be trusted: it is closed. */
void reply_error_close(struct request *request, int status, const char *code,
                       const char *hint, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* 503 when probe_process_read_figures failed with `error`. */
void reply_uncounted(struct request *request, int error);

/* 405 with the Allow header for `methods`, an OR of enum request_method. */
void reply_method_not_allowed(struct request *request, unsigned methods);

#endif
