/*
 * The child is a fork that runs a second civetweb. It has no state to save, so the
 * default action of SIGTERM ends it at once.
 */
#include "server/upstream.h"

#include <civetweb.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/number.h"
#include "base/size.h"

#define BODY_BYTES_MAX (256 * MIB)
#define STOP_TRIES 100 /* 10 ms apart */

/* Parses "bytes=N"; false if `query` is anything else. */
static bool body_parse(const char *query, long long *ret_bytes)
{
    if (query == NULL || strncmp(query, "bytes=", 6) != 0) {
        return false;
    }
    uint64_t bytes;
    if (number_parse(query + strlen("bytes="), 1, BODY_BYTES_MAX, &bytes) != 0) {
        return false;
    }
    *ret_bytes = (long long)bytes;
    return true;
}

static int not_found_reply(struct mg_connection *connection)
{
    mg_printf(connection, "HTTP/1.1 404 Not Found\r\n"
                          "Content-Type: text/plain\r\n"
                          "Content-Length: 10\r\n\r\n"
                          "not found\n");
    return 404;
}

/* Answers every request. civetweb expects the HTTP status as the result. */
static int upstream_reply(struct mg_connection *connection, void *unused)
{
    (void)unused;
    const struct mg_request_info *info = mg_get_request_info(connection);
    long long bytes;
    if (strcmp(info->request_method, "GET") != 0 ||
        strcmp(info->local_uri, "/body") != 0 ||
        !body_parse(info->query_string, &bytes)) {
        return not_found_reply(connection);
    }
    char text[16 * 1024];
    memset(text, 'b', sizeof(text));
    mg_printf(connection,
              "HTTP/1.1 200 OK\r\n"
              "Content-Type: text/plain\r\n"
              "Content-Length: %lld\r\n\r\n",
              bytes);
    while (bytes > 0) {
        size_t part = bytes < (long long)sizeof(text) ? (size_t)bytes : sizeof(text);
        if (mg_write(connection, text, part) <= 0) {
            break;
        }
        bytes -= (long long)part;
    }
    return 200;
}

/* Starts to listen. Returns the port, or -errno. */
static int upstream_listen(void)
{
    /* A kept-alive connection holds a thread until its client has been silent for this
     * time. The leaky server's clients stay silent for ever, so the time is short. */
    const char *options[] = {
        "listening_ports",
        "127.0.0.1:0", /* the system chooses the port */
        "num_threads",
        "64",
        "tcp_nodelay",
        "1",
        "enable_keep_alive",
        "yes",
        "keep_alive_timeout_ms",
        "100",
        "request_timeout_ms",
        "10000",
        NULL,
    };
    errno = 0;
    struct mg_context *server = mg_start(NULL, NULL, options);
    if (server == NULL) {
        return errno > 0 ? -errno : -EIO;
    }
    mg_set_request_handler(server, "/", upstream_reply, NULL);
    struct mg_server_port port;
    if (mg_get_server_ports(server, 1, &port) != 1) {
        return -EIO;
    }
    return port.port;
}

/* What the child runs until it ends. Writes the port or -errno to `report`. */
static _Noreturn void upstream_serve(pid_t parent, int report)
{
    /* SIGINT from a terminal reaches the child too. It ignores that and waits for the
     * parent's SIGTERM, so that running calls can end normally. */
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);

    prctl(PR_SET_NAME, "upstream");
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) {
        _exit(1); /* the parent ended before prctl took effect */
    }

    int port = upstream_listen();
    if (write(report, &port, sizeof(port)) != (ssize_t)sizeof(port) || port < 0) {
        _exit(1);
    }
    close(report);
    for (;;) {
        pause();
    }
}

/* Reads what the child reports. Returns the port, or -errno. */
static int port_read(int report)
{
    int port;
    ssize_t count;
    do {
        count = read(report, &port, sizeof(port));
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
        return -errno;
    }
    return count == (ssize_t)sizeof(port) ? port : -ECHILD;
}

pid_t upstream_start(char *url, size_t size)
{
    int report[2];
    if (pipe2(report, O_CLOEXEC) < 0) {
        return -errno;
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        int error = errno;
        close(report[0]);
        close(report[1]);
        return -error;
    }
    if (pid == 0) {
        close(report[0]);
        upstream_serve(parent, report[1]);
    }
    close(report[1]);
    int port = port_read(report[0]);
    close(report[0]);
    if (port < 0) {
        upstream_stop(pid);
        return port;
    }
    int length = snprintf(url, size, "http://127.0.0.1:%d", port);
    if (length < 0 || (size_t)length >= size) {
        upstream_stop(pid);
        return -ENOSPC;
    }
    return pid;
}

void upstream_stop(pid_t pid)
{
    if (pid <= 0) {
        return;
    }
    kill(pid, SIGTERM);
    for (int i = 0; i < STOP_TRIES; i++) {
        pid_t ended = waitpid(pid, NULL, WNOHANG);
        if (ended == pid || (ended < 0 && errno == ECHILD)) {
            return;
        }
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    }
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
}
