/*
 * Sending replies through civetweb. A small reply goes out in one write; a larger one
 * in two, header and body, which is fast only with tcp_nodelay (see server.c).
 */
#include "server/reply.h"

#include <civetweb.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/http/json.h"
#include "server/connections.h"

#define JSON_TYPE "application/json"

/* A reply up to this size goes out in one write: a second costs a third of the rate. */
#define ONE_WRITE_BYTES 2048

static const char *status_text(int status)
{
    return mg_get_response_code_text(NULL, status);
}

void reply_data(struct request *request, int status, const char *type,
                const char *headers, const void *data, size_t size)
{
    static const char header[] =
        "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %lu\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n%s%s\r\n";
    size_t body = request->method == METHOD_HEAD ? 0 : size;
    char text[ONE_WRITE_BYTES];
    /* From here on the worker waits for the client to take the reply. */
    if (worker_write()) {
        request->closes = true;
    }
    const char *closing = "";
    if (request->closes) {
        mg_disable_connection_keep_alive(request->connection);
        closing = "Connection: close\r\n";
    }
    int length = snprintf(text, sizeof(text), header, status, status_text(status), type,
                          (unsigned long)size, headers, closing);
    if (length > 0 && (size_t)length + body < sizeof(text)) {
        if (body > 0) {
            memcpy(text + length, data, body);
        }
        mg_write(request->connection, text, (size_t)length + body);
        return;
    }
    mg_printf(request->connection, header, status, status_text(status), type,
              (unsigned long)size, headers, closing);
    if (body > 0) {
        mg_write(request->connection, data, body);
    }
}

/* Sends `json` and deletes it; when memory was short, says so with what needs none. */
static void send_json(struct request *request, int status, const char *headers,
                      cJSON *json)
{
    static const char no_memory[] =
        "{\"error\":{\"code\":\"heap_limit\",\"message\":\"no memory for the "
        "reply\","
        "\"hint\":\"" REPLY_RESTART_OR_RAISE("--max-heap") "\"}}\n";
    char *text = probe_json_finish(json);
    if (text == NULL) {
        reply_data(request, 503, JSON_TYPE, headers, no_memory, sizeof(no_memory) - 1);
        return;
    }
    size_t length = strlen(text);
    text[length] = '\n'; /* in place of the NUL: a reply should end its last line */
    reply_data(request, status, JSON_TYPE, headers, text, length + 1);
    free(text);
}

void reply_json(struct request *request, int status, cJSON *json)
{
    send_json(request, status, "", json);
}

#define MESSAGE_BYTES 512

/* Writes `text` with every byte that is not printable ASCII as \xNN, so that a reply is
 * plain text whatever a client put into its request. `to` has room for 4 times as much.
 */
static void escape(char *to, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text >= ' ' && *text <= '~') {
            *to++ = *text;
        } else {
            to += sprintf(to, "\\x%02x", (unsigned char)*text);
        }
    }
    *to = '\0';
}

static void send_error(struct request *request, int status, const char *headers,
                       const char *code, const char *hint, const char *format,
                       va_list arguments)
{
    char message[MESSAGE_BYTES];
    char escaped[4 * MESSAGE_BYTES];
    vsnprintf(message, sizeof(message), format, arguments);
    escape(escaped, message);
    cJSON *json = cJSON_CreateObject();
    cJSON *error = cJSON_AddObjectToObject(json, "error");
    cJSON_AddStringToObject(error, "code", code);
    cJSON_AddStringToObject(error, "message", escaped);
    cJSON_AddStringToObject(error, "hint", hint);
    send_json(request, status, headers, json);
}

void reply_error(struct request *request, int status, const char *code,
                 const char *hint, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    send_error(request, status, "", code, hint, format, arguments);
    va_end(arguments);
}

void reply_error_close(struct request *request, int status, const char *code,
                       const char *hint, const char *format, ...)
{
    request->closes = true;
    va_list arguments;
    va_start(arguments, format);
    send_error(request, status, "", code, hint, format, arguments);
    va_end(arguments);
}

void reply_uncounted(struct request *request, int error)
{
    bool memory = error == -ENOMEM;
    reply_error(request, 503, memory ? "heap_limit" : "fd_limit",
                memory ? REPLY_RESTART_OR_RAISE("--max-heap")
                       : REPLY_RESTART_OR_RAISE("--max-fds"),
                "the process could not be counted: %s", strerror(-error));
}

static void send_error_with(struct request *request, int status, const char *headers,
                            const char *code, const char *hint, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    send_error(request, status, headers, code, hint, format, arguments);
    va_end(arguments);
}

void reply_method_not_allowed(struct request *request, unsigned methods)
{
    char list[32];
    snprintf(list, sizeof(list), "%s%s%s", methods & METHOD_GET ? "GET, " : "",
             methods & METHOD_HEAD ? "HEAD, " : "",
             methods & METHOD_POST ? "POST, " : "");
    list[strlen(list) - 2] = '\0'; /* the last comma */
    char headers[64];
    snprintf(headers, sizeof(headers), "Allow: %s\r\n", list);
    char hint[64];
    snprintf(hint, sizeof(hint), "this route takes %s", list);
    send_error_with(request, 405, headers, "method_not_allowed", hint,
                    "wrong method for %s", request->path);
}
