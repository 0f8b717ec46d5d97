/*
 * A small reply is sent in one write. A larger one needs two, header and body, which is
 * fast only with tcp_nodelay (see server.c).
 */
#include "server/exchange.h"

#include <civetweb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "probe/http/check.h"
#include "probe/http/reply_head.h"
#include "probe/resources/descriptor_alarm.h"
#include "probe/resources/descriptor_limit.h"
#include "server/connections.h"
#include "server/lab.h"
#include "server/routes.h"
#include "server/strict_head.h"

/* A reply up to this size is sent in one write: a second write costs a third of the
 * request rate. */
#define ONE_WRITE_BYTES 8192

/* ---- Reading ---- */

/* Fills in everything except the body. civetweb 1.15 has at most MG_MAX_HEADERS
 * headers. */
static void request_fill(struct request *request, const struct mg_request_info *info,
                         struct request_header headers[MG_MAX_HEADERS])
{
    for (int i = 0; i < info->num_headers; i++) {
        headers[i] = (struct request_header){info->http_headers[i].name,
                                             info->http_headers[i].value};
    }
    request->method = probe_request_method(info->request_method);
    request->version = info->http_version;
    request->target = info->request_uri;
    /* The target may name the server before the path; civetweb accepts that if the port
     * is its own. */
    request->path = info->local_uri_raw != NULL ? info->local_uri_raw : "";
    request->query = info->query_string != NULL ? info->query_string : "";
    request->headers = headers;
    request->header_count = (size_t)info->num_headers;
}

/* A client that sent "Expect: 100-continue" waits for this reply before it sends its
 * body. */
static void invite_body(struct mg_connection *connection, const struct request *request)
{
    static const char words[] = "HTTP/1.1 100 Continue\r\n\r\n";
    int count;
    const char *expected = probe_request_header(request, "Expect", &count);
    if (count == 1 && strcasecmp(expected, "100-continue") == 0 &&
        strcmp(request->version, "1.1") == 0) {
        mg_write(connection, words, sizeof(words) - 1);
    }
}

/* Reads the whole body into `ret_body`, which the caller frees. Returns true; or false,
 * with the error in the reply. */
static bool read_body(struct mg_connection *connection, struct request *request,
                      struct reply *reply, char **ret_body)
{
    long long length = mg_get_request_info(connection)->content_length;
    bool chunked = probe_request_header(request, "Transfer-Encoding", NULL) != NULL;
    if (!probe_check_body(reply, length)) {
        return false;
    }
    if (length <= 0 && !chunked) {
        return true;
    }
    /* One byte more than the limit shows that a chunked body is too long. One more is
     * for the '\0'. */
    size_t room = chunked ? REQUEST_BODY_MAX + 1 : (size_t)length;
    char *body = malloc(room + 1);
    if (body == NULL) {
        probe_reply_no_memory(reply);
        reply->closes = true;
        return false;
    }
    *ret_body = body;
    invite_body(connection, request);
    size_t bytes = 0;
    int got = 0;
    while (bytes < room &&
           (got = mg_read(connection, body + bytes, room - bytes)) > 0) {
        bytes += (size_t)got;
    }
    body[bytes] = '\0';
    if (!probe_check_body(reply, (long long)bytes)) {
        return false;
    }
    if (got < 0 || (!chunked && bytes < room)) {
        return probe_check_refuse(
            reply, "the body ended too early, or a chunk of it is wrong");
    }
    request->body = body;
    request->body_bytes = bytes;
    return true;
}

/* ---- Sending ---- */

/* Writes to a client that may take it too slowly, and so not all of it. Then nothing
 * may follow on the connection: the client would take it for what is missing. */
static bool write_whole(struct mg_connection *connection, const char *data,
                        size_t bytes)
{
    bool whole = mg_write(connection, data, bytes) == (int)bytes;
    if (!whole) {
        mg_disable_connection_keep_alive(connection);
    }
    return whole;
}

static void reply_send(struct mg_connection *connection, struct reply *reply)
{
    size_t body = reply->request->method == METHOD_HEAD ? 0 : reply->bytes;
    char text[ONE_WRITE_BYTES];
    /* From here on the worker waits until the client has read the reply. */
    if (worker_write()) {
        reply->closes = true;
    }
    if (reply->closes) {
        mg_disable_connection_keep_alive(connection);
    }
    size_t length = probe_reply_head(reply, text, sizeof(text));
    if (length == 0) {
        return; /* no page makes a head of this size */
    }
    bool one = length + body <= sizeof(text);
    if (one && body > 0) {
        memcpy(text + length, reply->data, body);
        length += body;
    }
    if (one) {
        /* The client may take a heap profile as soon as it has the reply, and the
         * reply's own memory must not be in it. */
        probe_reply_release(reply);
    }
    if (write_whole(connection, text, length) && !one) {
        write_whole(connection, reply->data, body);
    }
}

/* ---- Both ---- */

/* Checks the request, reads its body, and lets its page fill in the reply. */
static void answer(struct mg_connection *connection, struct request *request,
                   bool debug_port, struct reply *reply)
{
    const char *fault = strict_head_fault(mg_get_request_info(connection));
    if (fault != NULL) {
        probe_check_refuse(reply, fault);
        return;
    }
    const struct route *route = routes_find(request->path, debug_port);
    char *body = NULL;
    if (probe_check_framing(request, reply) && probe_check_host(request, reply) &&
        probe_check_site(request, route != NULL && route->acts, reply) &&
        read_body(connection, request, reply, &body)) {
        worker_work();
        if (route != NULL) {
            probe_route_answer(route, request, reply);
        } else {
            routes_refuse(request, debug_port, reply);
        }
    }
    free(body);
}

void exchange_serve(struct mg_connection *connection, struct lab *lab, bool debug_port,
                    int other_port)
{
    struct request_header headers[MG_MAX_HEADERS];
    struct request request = {.site = &lab->site, .other_port = other_port};
    struct reply reply;
    const struct mg_request_info *info = mg_get_request_info(connection);
    atomic_fetch_add(&lab->requests_total, 1);
    worker_read(info);
    request_fill(&request, info, headers);
    probe_reply_init(&reply, &request);
    answer(connection, &request, debug_port, &reply);
    reply_send(connection, &reply);
    probe_reply_release(&reply);
    worker_done();
    if (probe_fd_limit_asked()) {
        probe_fd_alarm_tick(clock_now_ns());
    }
}

void exchange_refuse(struct mg_connection *connection, struct lab *lab, int status,
                     const char *message)
{
    struct request request = {.site = &lab->site, .method = METHOD_GET};
    struct reply reply;
    worker_read(mg_get_request_info(connection));
    probe_reply_init(&reply, &request);
    probe_reply_error(&reply, status, "bad_request", "send plain HTTP/1.1", "%s",
                      message);
    reply.closes = true;
    reply_send(connection, &reply);
    probe_reply_release(&reply);
}
