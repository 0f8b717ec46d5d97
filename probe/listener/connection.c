/*
 * A request goes through the phases in order: it is read whole, then its page runs in a
 * coroutine, then the reply is sent. Only the page may take its time, by sleeping.
 */
#include "probe/listener/connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/http/check.h"
#include "probe/http/reply_head.h"

/* How long the server waits for a client. */
#define REQUEST_NS (10 * CLOCK_NS_PER_SECOND) /* for a whole request */
#define IDLE_NS (2 * CLOCK_NS_PER_SECOND)     /* for the next request */
#define WRITE_NS (10 * CLOCK_NS_PER_SECOND)   /* until it takes any part of the reply */
#define LINGER_NS (2 * CLOCK_NS_PER_SECOND)   /* until it closes */

#define DISCARDED_MAX (1 << 20) /* bytes */

static void wait_for_client(struct connection *connection, enum connection_phase phase,
                            int64_t ns)
{
    connection->phase = phase;
    connection->since_ns = clock_now_ns();
    connection->deadline_ns = connection->since_ns + ns;
}

/* ---- Sending ---- */

/* Sends what the client takes of `size` bytes now. Returns the number, 0 if it takes
 * none now, or -errno. */
static ssize_t send_parts(const struct connection *connection, struct iovec *parts,
                          size_t count)
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    ssize_t sent;
    do {
        sent = sendmsg(atomic_load(&connection->socket.fd), &message,
                       MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
    }
    return sent;
}

/* Begins to send the reply. */
static void reply_begin(struct connection *connection)
{
    struct reply *reply = &connection->reply;
    const struct request *request = &connection->request;
    if (request->version == NULL || strcmp(request->version, "1.1") != 0) {
        reply->closes = true;
    }
    connection->head_length =
        probe_reply_head(reply, connection->head, sizeof(connection->head));
    connection->sent = 0;
    wait_for_client(connection, CONNECTION_WRITES, WRITE_NS);
    connection->ready = true;
}

/* Forgets the request that has been answered, and keeps what came after it. */
static void request_done(struct connection *connection)
{
    probe_reply_release(&connection->reply);
    buffer_release(&connection->body);
    connection->in_bytes -= connection->head_bytes;
    memmove(connection->in, connection->in + connection->head_bytes,
            connection->in_bytes);
    connection->head_bytes = 0;
    connection->scanned = 0;
    connection->body_bytes = 0;
    connection->request = (struct request){.site = connection->owner->site};
    connection->ready = connection->in_bytes > 0;
    wait_for_client(connection, CONNECTION_READS,
                    connection->ready ? REQUEST_NS : IDLE_NS);
}

/* All is sent. Closing now could destroy the reply on its way: the kernel resets a
 * connection that is closed while bytes of the client have not been read. */
static void linger(struct connection *connection)
{
    probe_reply_release(&connection->reply);
    buffer_release(&connection->body);
    shutdown(atomic_load(&connection->socket.fd), SHUT_WR);
    connection->discarded = 0;
    wait_for_client(connection, CONNECTION_LINGERS, LINGER_NS);
    connection->ready = false;
}

static void reply_send(struct connection *connection)
{
    const struct reply *reply = &connection->reply;
    size_t head = connection->head_length;
    size_t body = connection->request.method == METHOD_HEAD ? 0 : reply->bytes;
    size_t sent = connection->sent;
    size_t body_sent = sent > head ? sent - head : 0;
    struct iovec parts[] = {
        {connection->head + (sent < head ? sent : head), sent < head ? head - sent : 0},
        {(char *)reply->data + body_sent, body - body_sent},
    };
    ssize_t count = head == 0 ? -EMSGSIZE : send_parts(connection, parts, 2);
    connection->ready = false;
    if (count < 0) {
        probe_connection_close(connection);
        return;
    }
    if (count > 0) {
        connection->sent += (size_t)count;
        wait_for_client(connection, CONNECTION_WRITES, WRITE_NS);
    }
    if (connection->sent < head + body) {
        return;
    }
    if (reply->closes) {
        linger(connection);
    } else {
        request_done(connection);
    }
}

/* ---- Answering ---- */

static void refuse_route(const struct connection *connection, struct reply *reply)
{
    char hint[200];
    const char *path = connection->request.path;
    const struct connection_owner *owner = connection->owner;
    probe_route_hint(hint, sizeof(hint),
                     "/, /status, /metrics, /healthz, /debug/locks and /debug/pprof/ "
                     "are here",
                     owner->nearest == NULL ? NULL : owner->nearest(path, NULL));
    probe_reply_error(reply, 404, "unknown_route", hint, "no route '%.200s'", path);
}

/* The page, on its own stack. */
static void page_run(void *argument)
{
    struct connection *connection = argument;
    if (connection->route != NULL) {
        probe_route_answer(connection->route, &connection->request, &connection->reply);
    } else {
        refuse_route(connection, &connection->reply);
    }
}

static void page_go_on(struct connection *connection)
{
    connection->wake_ns = 0;
    connection->ready = false;
    probe_own_socket_close(&connection->owner->spare);
    if (probe_coroutine_resume(connection->page)) {
        return;
    }
    probe_coroutine_destroy(connection->page);
    connection->page = NULL;
    reply_begin(connection);
}

static void page_start(struct connection *connection)
{
    connection->phase = CONNECTION_WORKS;
    connection->cancelled = false;
    if (probe_coroutine_create(&connection->page, page_run, connection) != 0) {
        probe_reply_no_memory(&connection->reply);
        reply_begin(connection);
        return;
    }
    page_go_on(connection);
}

int probe_connection_sleep(struct connection *connection, unsigned ms)
{
    if (!connection->cancelled) {
        connection->wake_ns = clock_now_ns() + ms * CLOCK_NS_PER_MS;
        probe_coroutine_yield(connection->page);
    }
    return connection->cancelled ? -ECANCELED : 0;
}

/* ---- Reading ---- */

/* The request as a whole is refused: the reply has the error. What follows on the
 * connection cannot be trusted. */
static void refuse(struct connection *connection)
{
    connection->reply.closes = true;
    reply_begin(connection);
}

static void refuse_slow(struct connection *connection)
{
    probe_reply_error(&connection->reply, 408, "request_timeout",
                      "send the whole request within 10 s",
                      "the request did not arrive whole");
    refuse(connection);
}

/* Whether the client says that this is its last request. */
static bool client_closes(const struct request *request)
{
    for (size_t i = 0; i < request->header_count; i++) {
        const struct request_header *header = &request->headers[i];
        if (strcasecmp(header->name, "Connection") == 0 &&
            strcasestr(header->value, "close") != NULL) {
            return true;
        }
    }
    return false;
}

/* The checks before the body is read. Returns false with the error in the reply. */
static bool request_passes(struct connection *connection)
{
    struct request *request = &connection->request;
    struct reply *reply = &connection->reply;
    const struct route *route = connection->owner->find(request->path);
    connection->route = route;
    if (!probe_check_framing(request, reply) ||
        (!connection->owner->local && !probe_check_host(request, reply)) ||
        !probe_check_site(request, route != NULL && route->acts, reply)) {
        return false;
    }
    if (probe_request_header(request, "Transfer-Encoding", NULL) != NULL) {
        probe_reply_error(reply, 411, "length_required", "send a Content-Length",
                          "a body must say its length: no Transfer-Encoding is taken");
        return false;
    }
    const char *length = probe_request_header(request, "Content-Length", NULL);
    long long bytes = length == NULL ? 0 : strtoll(length, NULL, 10);
    connection->body_bytes = (size_t)bytes;
    return probe_check_body(reply, bytes);
}

/* A client that sent "Expect: 100-continue" waits for this before it sends its body. */
static bool invite_body(struct connection *connection)
{
    static const char words[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const struct request *request = &connection->request;
    const char *expected = probe_request_header(request, "Expect", NULL);
    if (expected == NULL || strcasecmp(expected, "100-continue") != 0 ||
        strcmp(request->version, "1.1") != 0 || connection->body.length > 0) {
        return true;
    }
    struct iovec part = {(char *)words, sizeof(words) - 1};
    return send_parts(connection, &part, 1) == (ssize_t)part.iov_len;
}

/* Moves what has arrived after the head to the body, as far as it belongs there. */
static void take_body(struct connection *connection)
{
    size_t more = connection->in_bytes - connection->head_bytes;
    size_t missing = connection->body_bytes - connection->body.length;
    size_t count = more < missing ? more : missing;
    char *from = connection->in + connection->head_bytes;
    if (count > 0) {
        buffer_append(&connection->body, from, count);
        memmove(from, from + count, more - count);
        connection->in_bytes -= count;
    }
}

/* Starts the page as soon as the body is there. */
static void body_step(struct connection *connection)
{
    struct request *request = &connection->request;
    take_body(connection);
    if (connection->body.error != 0) {
        probe_reply_no_memory(&connection->reply);
        refuse(connection);
        return;
    }
    if (connection->body.length < connection->body_bytes) {
        return;
    }
    request->body = connection->body_bytes > 0 ? connection->body.data : NULL;
    request->body_bytes = connection->body_bytes;
    page_start(connection);
}

/* Reads the head, which is whole. */
static void head_step(struct connection *connection)
{
    struct request *request = &connection->request;
    probe_reply_init(&connection->reply, request);
    const char *fault = probe_head_split(connection->in, connection->head_bytes,
                                         connection->headers, request);
    if (fault != NULL) {
        probe_check_refuse(&connection->reply, fault);
    }
    if (fault != NULL || !request_passes(connection)) {
        refuse(connection);
        return;
    }
    connection->reply.closes = client_closes(request);
    take_body(connection);
    if (connection->body_bytes > 0 && !invite_body(connection)) {
        probe_connection_close(connection);
        return;
    }
    body_step(connection);
}

/* What has arrived is no request: the connection's last reply says so. */
static void refuse_head(struct connection *connection, bool large)
{
    struct reply *reply = &connection->reply;
    probe_reply_init(reply, &connection->request);
    if (large) {
        probe_reply_error(reply, 431, "head_too_large",
                          "no request of this server needs so many headers",
                          "the head of the request has more than %d bytes",
                          HEAD_BYTES_MAX);
    } else {
        probe_check_refuse(reply, "a line does not end with CRLF");
    }
    refuse(connection);
}

/* Looks for a request in what has arrived. */
static void request_step(struct connection *connection)
{
    connection->ready = false;
    if (connection->head_bytes > 0) {
        body_step(connection);
        return;
    }
    long length =
        probe_head_find(connection->in, connection->in_bytes, &connection->scanned);
    if (length < 0) {
        refuse_head(connection, false);
    } else if (length > HEAD_BYTES_MAX ||
               (length == 0 && connection->in_bytes > HEAD_BYTES_MAX)) {
        refuse_head(connection, true);
    } else if (length > 0) {
        connection->head_bytes = (size_t)length;
        head_step(connection);
    }
}

/* Receives into `in`. Returns the number of bytes, 0 if there are none now, or -errno;
 * -ENOTCONN: the client has ended. */
static ssize_t receive(struct connection *connection)
{
    ssize_t got;
    do {
        got = recv(atomic_load(&connection->socket.fd),
                   connection->in + connection->in_bytes,
                   sizeof(connection->in) - connection->in_bytes, MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
    }
    return got == 0 ? -ENOTCONN : got;
}

static void read_step(struct connection *connection)
{
    bool first = connection->in_bytes == 0 && connection->head_bytes == 0;
    ssize_t got = receive(connection);
    if (got < 0) {
        probe_connection_close(connection);
        return;
    }
    if (got > 0) {
        connection->in_bytes += (size_t)got;
        if (first) {
            wait_for_client(connection, CONNECTION_READS, REQUEST_NS);
        }
        request_step(connection);
    }
}

/* Reads and drops what the client still sends. */
static void linger_step(struct connection *connection)
{
    connection->in_bytes = 0;
    ssize_t got = receive(connection);
    connection->discarded += got > 0 ? (size_t)got : 0;
    if (got < 0 || connection->discarded > DISCARDED_MAX) {
        probe_connection_close(connection);
    }
}

/* ---- What the listener calls ---- */

int probe_connection_open(struct connection *connection, int fd, int fd_from,
                          struct connection_owner *owner)
{
    int yes = 1;
    int error = probe_own_socket_take(&connection->socket, fd, fd_from);
    if (error != 0) {
        return error;
    }
    /* Otherwise the end of a large reply waits for an ACK. Not for a Unix socket. */
    setsockopt(atomic_load(&connection->socket.fd), IPPROTO_TCP, TCP_NODELAY, &yes,
               sizeof(yes));
    connection->owner = owner;
    connection->in_bytes = 0;
    connection->scanned = 0;
    connection->head_bytes = 0;
    connection->body_bytes = 0;
    connection->request = (struct request){.site = owner->site};
    probe_reply_init(&connection->reply, &connection->request);
    connection->page = NULL;
    connection->wake_ns = 0;
    connection->ready = false;
    wait_for_client(connection, CONNECTION_READS, REQUEST_NS);
    return 0;
}

short probe_connection_events(const struct connection *connection)
{
    switch (connection->phase) {
    case CONNECTION_READS:
    case CONNECTION_LINGERS:
        return POLLIN;
    case CONNECTION_WRITES:
        return POLLOUT;
    default:
        return 0; /* poll reports a lost client all the same */
    }
}

/* The client has kept the server waiting for too long. */
static void late_step(struct connection *connection)
{
    bool began = connection->in_bytes > 0 || connection->head_bytes > 0;
    if (connection->phase == CONNECTION_READS && began) {
        refuse_slow(connection);
    } else {
        probe_connection_close(connection);
    }
}

static void work_step(struct connection *connection, short events, int64_t now_ns)
{
    if ((events & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
        connection->cancelled = true; /* nobody waits for the reply */
    }
    if (connection->cancelled || now_ns >= connection->wake_ns) {
        page_go_on(connection);
    }
}

void probe_connection_step(struct connection *connection, short events, int64_t now_ns)
{
    if (connection->phase == CONNECTION_WORKS) {
        work_step(connection, events, now_ns);
        return;
    }
    if (events == 0 && !connection->ready && now_ns < connection->deadline_ns) {
        return;
    }
    if ((events & POLLNVAL) != 0 || !probe_own_socket_check(&connection->socket)) {
        probe_connection_close(connection);
    } else if (events == 0 && !connection->ready) {
        late_step(connection);
    } else if (connection->phase == CONNECTION_WRITES) {
        reply_send(connection);
    } else if (connection->phase == CONNECTION_LINGERS) {
        linger_step(connection);
    } else if (connection->ready) {
        request_step(connection);
    } else {
        read_step(connection);
    }
}

int64_t probe_connection_due(const struct connection *connection)
{
    if (connection->ready) {
        return 0;
    }
    if (connection->phase == CONNECTION_WORKS) {
        return connection->cancelled ? 0 : connection->wake_ns;
    }
    return connection->deadline_ns;
}

void probe_connection_close(struct connection *connection)
{
    probe_own_socket_close(&connection->socket);
    probe_reply_release(&connection->reply);
    buffer_release(&connection->body);
    connection->ready = false;
}
