/*
 * An error must reach the client even when memory is short. So its text is built in a
 * buffer if possible, or else in the reply itself.
 */
#include "probe/http/reply.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/http/json_writer.h"

#define MESSAGE_BYTES 512

void probe_reply_init(struct reply *reply, const struct request *request)
{
    *reply = (struct reply){.request = request};
}

void probe_reply_release(struct reply *reply)
{
    buffer_release(&reply->owned);
    free(reply->text);
    reply->text = NULL;
}

/* Drops an earlier answer. */
static void begin(struct reply *reply, int status, const char *type)
{
    buffer_clear(&reply->owned);
    free(reply->text);
    reply->text = NULL;
    reply->headers[0] = '\0';
    reply->status = status;
    reply->type = type;
}

void probe_reply_static(struct reply *reply, const char *type, const char *data,
                        size_t bytes)
{
    begin(reply, 200, type);
    reply->data = data;
    reply->bytes = bytes;
}

void probe_reply_header(struct reply *reply, const char *name, const char *format, ...)
{
    char value[REPLY_HEADERS_MAX];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(value, sizeof(value), format, arguments);
    va_end(arguments);
    size_t used = strlen(reply->headers);
    size_t room = sizeof(reply->headers) - used;
    size_t needed = strlen(name) + strlen(": \r\n") + 1;
    if (length >= 0 && needed + (size_t)length <= room) {
        snprintf(reply->headers + used, room, "%s: %s\r\n", name, value);
    }
}

void probe_reply_no_memory(struct reply *reply)
{
    begin(reply, 503, REPLY_JSON);
    int length = snprintf(reply->last_words, sizeof(reply->last_words),
                          "{\n\t\"error\":\t{\n\t\t\"code\":\t\"heap_limit\",\n"
                          "\t\t\"message\":\t\"no memory for the reply\",\n"
                          "\t\t\"hint\":\t\"%s\"\n\t}\n}\n",
                          reply->request->site->hints.memory);
    reply->data = reply->last_words;
    size_t room = sizeof(reply->last_words) - 1;
    reply->bytes = (size_t)length < room ? (size_t)length : room;
}

void probe_reply_buffer(struct reply *reply, const char *type, struct buffer *buffer)
{
    if (buffer->error != 0) {
        buffer_release(buffer);
        probe_reply_no_memory(reply);
        return;
    }
    begin(reply, 200, type);
    buffer_release(&reply->owned);
    reply->owned = *buffer;
    *buffer = (struct buffer){0};
    reply->data = reply->owned.length > 0 ? reply->owned.data : "";
    reply->bytes = reply->owned.length;
}

void probe_reply_text(struct reply *reply, int status, const char *type, char *text,
                      size_t bytes)
{
    begin(reply, status, type);
    reply->text = text;
    reply->data = text;
    reply->bytes = bytes;
}

/* Copies `text` with every byte that is not printable ASCII as \xNN: the text may come
 * from a client. `to` has room for 4 times the length. */
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

void probe_reply_error(struct reply *reply, int status, const char *code,
                       const char *hint, const char *format, ...)
{
    char message[MESSAGE_BYTES];
    char escaped[4 * MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    escape(escaped, message);
    struct buffer text = {0};
    struct json_writer json;
    probe_json_begin(&json, &text);
    probe_json_open(&json, "error");
    probe_json_text(&json, "code", code);
    probe_json_text(&json, "message", escaped);
    probe_json_text(&json, "hint", hint);
    probe_json_close(&json);
    probe_json_end(&json);
    probe_reply_buffer(reply, REPLY_JSON, &text);
    if (reply->status == 200) {
        reply->status = status;
    }
}

void probe_reply_uncounted(struct reply *reply, int error)
{
    const struct site_hints *hints = &reply->request->site->hints;
    bool memory = error == -ENOMEM;
    const char *hint = memory ? hints->memory : hints->fds;
    probe_reply_error(reply, 503, memory ? "heap_limit" : "fd_limit",
                      error == -ENOENT ? REPLY_NO_PROC : hint,
                      "the process could not be counted: %s", strerror(-error));
}

void probe_reply_wrong_method(struct reply *reply, unsigned methods)
{
    char list[32];
    snprintf(list, sizeof(list), "%s%s%s", methods & METHOD_GET ? "GET, " : "",
             methods & METHOD_HEAD ? "HEAD, " : "",
             methods & METHOD_POST ? "POST, " : "");
    list[strlen(list) - 2] = '\0'; /* removes the last comma */
    char hint[64];
    snprintf(hint, sizeof(hint), "this route takes %s", list);
    probe_reply_error(reply, 405, "method_not_allowed", hint, "wrong method for %s",
                      reply->request->path);
    probe_reply_header(reply, "Allow", "%s", list);
}
