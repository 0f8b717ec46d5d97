/*
 * What `make bench` compares with: a civetweb server with one handler and nothing else,
 * no checks, no heap profiler, and the C library's own malloc. It prints its port on
 * standard output and runs until its standard input ends.
 */
#include <civetweb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char reply[] = "HTTP/1.1 200 OK\r\n"
                            "Content-Type: text/plain; charset=utf-8\r\n"
                            "Content-Length: 3\r\n"
                            "\r\n"
                            "ok\n";

static int handle(struct mg_connection *connection, void *data)
{
    (void)data;
    mg_write(connection, reply, sizeof(reply) - 1);
    return 200;
}

int main(void)
{
    const char *options[] = {
        "listening_ports",
        "127.0.0.1:0",
        "num_threads",
        "32",
        "enable_keep_alive",
        "yes",
        "keep_alive_timeout_ms",
        "2000",
        "request_timeout_ms",
        "10000",
        "tcp_nodelay",
        "1",
        NULL,
    };
    mg_init_library(0);
    struct mg_context *context = mg_start(NULL, NULL, options);
    if (context == NULL) {
        fprintf(stderr, "bare_handler: civetweb does not start\n");
        return EXIT_FAILURE;
    }
    mg_set_request_handler(context, "/healthz", handle, NULL);

    struct mg_server_port port;
    if (mg_get_server_ports(context, 1, &port) != 1) {
        return EXIT_FAILURE;
    }
    printf("%d\n", port.port);
    fflush(stdout);

    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    mg_stop(context);
    mg_exit_library();
    return EXIT_SUCCESS;
}
