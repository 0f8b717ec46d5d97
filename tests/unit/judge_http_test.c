/*
 * Tests of leakcheck's HTTP client: it keeps the deadline of the run, and repeats a
 * request only if a reused connection was closed. The server is a thread of this test.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "leakcheck/measure/http.h"

/* A server that answers the first requests, and lets later ones wait until the client
 * leaves. It serves one connection after the other. */
struct stand {
    pthread_t thread;
    int listener;
    int answers; /* how many requests it answers */
    int closes;  /* closes each connection at its request of this number, from 1 on; 0:
                    never */
    int connections;
    int requests;
};

/* Listens on a free port, and writes its URL. Returns the listening socket. */
static int stand_listen(char *url, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(listener >= 0);
    struct sockaddr *any = (struct sockaddr *)&address;
    assert_int_equal(bind(listener, any, length), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, any, &length), 0);
    snprintf(url, size, "http://127.0.0.1:%d", ntohs(address.sin_port));
    return listener;
}

/* Reads one request, which comes in one piece; false if the client has left. */
static bool request_read(int connection)
{
    char request[4096];
    return recv(connection, request, sizeof(request), 0) > 0;
}

static void connection_serve(struct stand *stand, int connection)
{
    static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    for (int i = 1; request_read(connection); i++) {
        stand->requests++;
        if (i == stand->closes) {
            return;
        }
        if (stand->answers > 0) {
            stand->answers--;
            send(connection, reply, strlen(reply), MSG_NOSIGNAL);
        }
    }
}

static void *stand_main(void *argument)
{
    struct stand *stand = argument;
    int connection;
    while ((connection = accept(stand->listener, NULL, NULL)) >= 0) {
        stand->connections++;
        connection_serve(stand, connection);
        close(connection);
    }
    return NULL;
}

/* A client of this test's server, and the result of its last request. */
struct client {
    struct http http;
    struct http_reply reply;
    struct failure failure;
};

/* Starts the server, and connects a client to it. */
static void stand_open(struct stand *stand, struct client *client)
{
    char url[64];
    stand->listener = stand_listen(url, sizeof(url));
    stand->thread = unit_thread(stand_main, stand);
    *client = (struct client){0};
    assert_int_equal(http_open(&client->http, url, &client->failure), 0);
}

static int client_get(struct client *client)
{
    return http_get(&client->http, "/", &client->reply, &client->failure);
}

static int client_post(struct client *client)
{
    return http_post(&client->http, "/", "x", &client->reply, &client->failure);
}

static void stand_close(struct stand *stand, struct client *client)
{
    http_close(&client->http);
    http_reply_release(&client->reply);
    shutdown(stand->listener, SHUT_RDWR);
    unit_join(stand->thread);
    close(stand->listener);
}

static void run_ends_at_its_deadline(void **state)
{
    (void)state;
    struct stand stand = {.answers = 1};
    struct client client;
    stand_open(&stand, &client);
    assert_int_equal(client_get(&client), 0);
    http_deadline(&client.http, clock_now_ms() + 200);
    assert_int_equal(client_get(&client), -ETIMEDOUT);
    assert_non_null(strstr(client.failure.text, "the run's time is over"));
    assert_non_null(strstr(client.failure.text, "--timeout"));
    /* After the deadline nothing is sent. */
    assert_int_equal(client_post(&client), -ETIMEDOUT);
    stand_close(&stand, &client);
    assert_int_equal(stand.requests, 2);
}

static void dead_connection_is_replaced(void **state)
{
    (void)state;
    struct stand stand = {.answers = 100, .closes = 2};
    struct client client;
    stand_open(&stand, &client);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(client_get(&client), 0);
        assert_string_equal(client.reply.body.data, "ok");
    }
    assert_true(client.http.fresh);
    assert_int_equal(client_post(&client), 0);
    stand_close(&stand, &client);
    assert_int_equal(stand.connections, 21);
}

/* Only a reused connection is a reason to repeat a request, not a new one. */
static void new_connection_is_not_tried_again(void **state)
{
    (void)state;
    struct stand stand = {.answers = 100, .closes = 1};
    struct client client;
    stand_open(&stand, &client);
    assert_int_equal(client_get(&client), -EIO);
    assert_false(client.http.fresh);
    stand_close(&stand, &client);
    assert_int_equal(stand.requests, 1);
}

static void texts_that_are_no_url_are_refused(void **state)
{
    (void)state;
    struct http http;
    struct failure failure = {""};
    assert_int_equal(http_open(&http, "localhost:8080", &failure), -EINVAL);
    assert_non_null(strstr(failure.text, "add http://"));
    assert_int_equal(http_open(&http, "ftp://localhost", &failure), -EINVAL);
    assert_null(strstr(failure.text, "add http://"));
    assert_int_equal(http_open(&http, "http://a b", &failure), -EINVAL);
    assert_int_equal(http_open(&http, "", &failure), -EINVAL);
    http_close(&http);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_ends_at_its_deadline),
        cmocka_unit_test(dead_connection_is_replaced),
        cmocka_unit_test(new_connection_is_not_tried_again),
        cmocka_unit_test(texts_that_are_no_url_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
