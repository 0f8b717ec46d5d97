/*
 * The judge's HTTP client keeps to the deadline of the run, and repeats a request only
 * where a kept connection was dead. The server is a thread of this test.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "leakcheck/measure/http.h"

/* Answers the first requests, and keeps later ones waiting until the client leaves.
 * Serves one connection after the other. */
struct stand {
    int listener;
    int answers; /* how many requests it answers */
    int closes;  /* each connection at this request of it, from 1 on; 0: never */
    int connections;
    int requests;
    char url[64];
};

static void stand_open(struct stand *stand)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    stand->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(stand->listener >= 0);
    struct sockaddr *any = (struct sockaddr *)&address;
    assert_int_equal(bind(stand->listener, any, length), 0);
    assert_int_equal(listen(stand->listener, 8), 0);
    assert_int_equal(getsockname(stand->listener, any, &length), 0);
    snprintf(stand->url, sizeof(stand->url), "http://127.0.0.1:%d",
             ntohs(address.sin_port));
}

/* Reads one request, which fits into one piece; false if the client left. */
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

static void stand_close(struct stand *stand, pthread_t thread)
{
    shutdown(stand->listener, SHUT_RDWR);
    unit_join(thread);
    close(stand->listener);
}

static void run_ends_at_its_deadline(void **state)
{
    (void)state;
    struct stand stand = {.answers = 1};
    struct http http;
    struct http_reply reply = {0};
    struct failure failure = {""};
    stand_open(&stand);
    pthread_t thread = unit_thread(stand_main, &stand);
    assert_int_equal(http_open(&http, stand.url, &failure), 0);
    assert_int_equal(http_get(&http, "/", &reply, &failure), 0);
    http_deadline(&http, clock_now_ms() + 200);
    assert_int_equal(http_get(&http, "/", &reply, &failure), -ETIMEDOUT);
    assert_non_null(strstr(failure.text, "the run's time is over"));
    assert_non_null(strstr(failure.text, "--timeout"));
    /* Past it, nothing is sent any more. */
    assert_int_equal(http_post(&http, "/", "x", &reply, &failure), -ETIMEDOUT);
    http_close(&http);
    http_reply_release(&reply);
    stand_close(&stand, thread);
    assert_int_equal(stand.requests, 2);
}

static void dead_connection_is_replaced(void **state)
{
    (void)state;
    struct stand stand = {.answers = 100, .closes = 2};
    struct http http;
    struct http_reply reply = {0};
    struct failure failure = {""};
    stand_open(&stand);
    pthread_t thread = unit_thread(stand_main, &stand);
    assert_int_equal(http_open(&http, stand.url, &failure), 0);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(http_get(&http, "/", &reply, &failure), 0);
        assert_string_equal(reply.body.data, "ok");
    }
    assert_true(http.fresh);
    assert_int_equal(http_post(&http, "/", "x", &reply, &failure), 0);
    http_close(&http);
    http_reply_release(&reply);
    stand_close(&stand, thread);
    assert_int_equal(stand.connections, 21);
}

/* A connection that was just made has no excuse. */
static void new_connection_is_not_tried_again(void **state)
{
    (void)state;
    struct stand stand = {.answers = 100, .closes = 1};
    struct http http;
    struct http_reply reply = {0};
    struct failure failure = {""};
    stand_open(&stand);
    pthread_t thread = unit_thread(stand_main, &stand);
    assert_int_equal(http_open(&http, stand.url, &failure), 0);
    assert_int_equal(http_get(&http, "/", &reply, &failure), -EIO);
    assert_false(http.fresh);
    http_close(&http);
    http_reply_release(&reply);
    stand_close(&stand, thread);
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
