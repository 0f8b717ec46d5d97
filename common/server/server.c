/*
 * Starts and stops civetweb twice: for the main port and for the debug port. All
 * requests come through one callback.
 */
#include "server/server.h"

#include <arpa/inet.h>
#include <civetweb.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/connections.h"
#include "server/exchange.h"
#include "server/lab.h"
#include "server/lab_json.h"

/* Worker threads. Each serves one connection at a time. */
#define MAIN_WORKERS 32
#define DEBUG_WORKERS 16

/* The pause between two connections that wake an accepting thread. */
#define WAKE_MS 20

/* civetweb's first error message in this thread: it says what is wrong. Later messages
 * only say that civetweb gave up. */
static _Thread_local char fault[256];

/* One of the two ports. */
struct listener {
    struct server *server;
    struct mg_context *civetweb; /* NULL: not listening */
    atomic_int port; /* 0 until mg_start has returned; requests may come earlier */
    struct worker_pool pool; /* the port's workers */
    atomic_bool stopped;
};

struct server {
    struct lab lab;
    struct connections connections;
    struct listener main;
    struct listener debug;
};

static struct listener *listener_of(const struct mg_connection *connection)
{
    return mg_get_user_data(mg_get_context(connection));
}

/* civetweb calls this for each request. A result above 0 means that it has been
 * answered. */
static int on_request(struct mg_connection *connection)
{
    struct listener *listener = listener_of(connection);
    struct server *server = listener->server;
    bool debug = listener == &server->debug;
    int other_port = debug ? server->main.port : server->debug.port;
    exchange_serve(connection, &server->lab, debug, other_port);
    return 200;
}

/* civetweb calls this for bytes that are not a request; on_request is not called
 * then. */
static int on_error(struct mg_connection *connection, int status, const char *message)
{
    exchange_refuse(connection, &listener_of(connection)->server->lab, status, message);
    return 0;
}

static int on_log(const struct mg_connection *connection, const char *message)
{
    (void)connection;
    if (fault[0] == '\0') {
        snprintf(fault, sizeof(fault), "%s", message);
    }
    return 1; /* 1: civetweb writes no log of its own */
}

/* civetweb calls this in each new thread. Type 0 accepts connections, 1 serves them. */
static void *on_thread_start(const struct mg_context *context, int type)
{
    struct listener *listener = mg_get_user_data(context);
    bool debug = listener == &listener->server->debug;
    const char *name = type == 0 ? (debug ? "debug-accept" : "http-accept")
                                 : (debug ? "debug-worker" : "http-worker");
    pthread_setname_np(pthread_self(), name);
    if (type == 1) {
        worker_begin(&listener->pool);
    }
    return NULL;
}

/* civetweb calls this when the worker gets a connection. */
static int on_open(const struct mg_connection *connection, void **data)
{
    (void)connection;
    (void)data;
    worker_open();
    return 0;
}

static void on_close(const struct mg_connection *connection)
{
    (void)connection;
    worker_close();
}

static void on_closed(const struct mg_connection *connection)
{
    (void)connection;
    worker_closed();
}

/* Starts civetweb on `port`; NULL if it refuses. */
static struct mg_context *civetweb_start(struct listener *listener, int port,
                                         unsigned workers)
{
    char threads[16];
    snprintf(threads, sizeof(threads), "%u", workers);
    char address[64];
    snprintf(address, sizeof(address), "%s:%d",
             listener->server->lab.settings->options->bind, port);
    const char *civetweb_options[] = {
        "listening_ports",
        address,
        "num_threads",
        threads,
        "enable_keep_alive",
        "yes",
        "keep_alive_timeout_ms",
        "2000",
        "request_timeout_ms",
        "10000",
        /* Header and body may be two writes: without this, such a reply waits for an
         * ACK. */
        "tcp_nodelay",
        "1",
        "decode_url",
        "yes",
        "allow_sendfile_call",
        "no",
        /* probe/http/check.c checks which names are this server's. */
        "enable_auth_domain_check",
        "no",
        NULL,
    };
    static const struct mg_callbacks callbacks = {
        .begin_request = on_request,
        .http_error = on_error,
        .log_message = on_log,
        .init_thread = on_thread_start,
        .init_connection = on_open,
        .connection_close = on_close,
        .connection_closed = on_closed,
    };
    fault[0] = '\0';
    return mg_start(&callbacks, listener, civetweb_options);
}

static int listener_start(struct listener *listener, struct server *server, int port,
                          unsigned workers)
{
    listener->server = server;
    worker_pool_init(&listener->pool, &server->connections, workers);
    listener->civetweb = civetweb_start(listener, port, workers);
    if (listener->civetweb == NULL) {
        return -EADDRINUSE;
    }
    struct mg_server_port bound;
    if (mg_get_server_ports(listener->civetweb, 1, &bound) != 1) {
        return -EADDRNOTAVAIL;
    }
    listener->port = bound.port;
    worker_pool_set_port(&listener->pool, bound.port);
    return 0;
}

/* civetweb's accepting thread notices that it is to stop only after up to two seconds,
 * or when a connection comes. This thread makes connections until nobody listens. */
static void *listener_wake_thread(void *argument)
{
    struct listener *listener = argument;
    const char *bound = listener->server->lab.settings->options->bind;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)listener->port)};
    inet_pton(AF_INET, bound, &address.sin_addr); /* 0.0.0.0 is this machine, too */
    bool listens = true;
    while (listens && !atomic_load(&listener->stopped)) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0) {
            break; /* no descriptor is left: then it takes its two seconds */
        }
        struct timeval limit = {.tv_usec = WAKE_MS * 1000};
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
        listens = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ||
                  errno != ECONNREFUSED;
        close(fd);
        clock_sleep_ms(WAKE_MS);
    }
    return NULL;
}

static void listener_stop(struct listener *listener)
{
    if (listener->civetweb == NULL) {
        return;
    }
    pthread_t thread;
    bool woken = listener->port > 0 &&
                 pthread_create(&thread, NULL, listener_wake_thread, listener) == 0;
    mg_stop(listener->civetweb);
    atomic_store(&listener->stopped, true);
    if (woken) {
        pthread_join(thread, NULL);
    }
    listener->civetweb = NULL;
}

static void *listener_stop_thread(void *argument)
{
    listener_stop(argument);
    return NULL;
}

/* Why it cannot listen. civetweb says "cannot bind to 127.0.0.1:8080: 98 (Address
 * already in use)"; the address is named once already. */
static const char *fault_reason(int error)
{
    char *reason = strrchr(fault, '(');
    char *end = reason == NULL ? NULL : strchr(reason, ')');
    if (strncmp(fault, "cannot bind to ", strlen("cannot bind to ")) == 0 &&
        end != NULL) {
        *end = '\0';
        return reason + 1;
    }
    return fault[0] != '\0' ? fault : strerror(-error);
}

static int server_listen(struct server *server, char *message, size_t message_size)
{
    const struct options *options = server->lab.settings->options;
    struct listener *listener = &server->main;
    int port = options->port;
    int error = listener_start(listener, server, port, MAIN_WORKERS);
    if (error == 0 && options->debug_port >= 0) {
        listener = &server->debug;
        port = options->debug_port;
        error = listener_start(listener, server, port, DEBUG_WORKERS);
    }
    if (error != 0) {
        snprintf(message, message_size, "cannot listen on %s:%d: %s; see %s",
                 options->bind, port, fault_reason(error),
                 listener == &server->main ? "--port" : "--debug-port");
    }
    return error;
}

int server_start(struct server **ret_server, const struct server_settings *settings,
                 char *message, size_t message_size)
{
    struct server *server = calloc(1, sizeof(*server));
    if (server == NULL || lab_init(&server->lab, settings) != 0) {
        free(server);
        snprintf(message, message_size, "not enough memory");
        return -ENOMEM;
    }
    server->debug.port = -1;
    lab_json_prepare();
    int error = connections_init(&server->connections);
    if (error != 0) {
        snprintf(message, message_size, "cannot watch connections: %s",
                 strerror(-error));
        lab_finish(&server->lab);
        free(server);
        return error;
    }
    mg_init_library(0);
    error = server_listen(server, message, message_size);
    if (error != 0) {
        server_stop(server);
        return error;
    }
    *ret_server = server;
    return 0;
}

int server_port(const struct server *server)
{
    return server->main.port;
}

int server_debug_port(const struct server *server)
{
    return server->debug.port;
}

void server_stop(struct server *server)
{
    context_cancel(&server->lab.running);
    connections_stop(&server->connections);
    /* Each waits for its requests, so both are stopped in parallel. */
    pthread_t thread;
    bool parallel =
        pthread_create(&thread, NULL, listener_stop_thread, &server->debug) == 0;
    listener_stop(&server->main);
    if (parallel) {
        pthread_join(thread, NULL);
    } else {
        listener_stop(&server->debug);
    }
    mg_exit_library();
    connections_finish(&server->connections);
    lab_finish(&server->lab);
    free(server);
}
