/*
 * A service fetches a document from another server over HTTP, for each of its own
 * requests, and answers with the document's checksum.
 */
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/context.h"
#include "scenario.h"

#define URL_BYTES 2048
#define CONNECT_MS 2000L
#define FETCH_MS 5000L
#define POLL_MS 50
#define RECEIVE_BYTES 1024L /* libcurl's own buffer, small against the body */

/* The part of a document that has arrived. */
struct body {
    unsigned char *text;
    size_t length;
    size_t capacity;
};

/* How many bodies are in memory now. */
static atomic_size_t bodies_held;

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

/* No error to return: if this fails, curl_easy_init fails, too. */
static void curl_prepare(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* libcurl calls this for each piece. To return less than its size is an error. */
static size_t body_write(char *piece, size_t size, size_t count, void *argument)
{
    struct body *body = argument;
    size_t bytes = size * count;
    if (bytes > body->capacity - body->length) {
        return 0;
    }
    memcpy(body->text + body->length, piece, bytes);
    body->length += bytes;
    return bytes;
}

/* Sets the options of a transfer, so that none comes from the environment. */
static int body_options(CURL *curl, CURLSH *share, const char *url, struct body *body)
{
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_SHARE, share);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, FETCH_MS);
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_write);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    if (curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_NOPROXY, "*") != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_URL, url) != CURLE_OK) {
        return -ENOMEM;
    }
    return 0;
}

/* Waits until there is more to do. Returns 0 or -errno, also if `context` ends. */
static int body_wait(CURLM *multi, struct context *context)
{
    if (curl_multi_poll(multi, NULL, 0, POLL_MS, NULL) != CURLM_OK) {
        return -ENOMEM;
    }
    return context_error(context);
}

/* How the only transfer of `multi` ended, as 0 or -errno. */
static int body_result(CURLM *multi, const struct body *body)
{
    int left;
    CURLMsg *message = curl_multi_info_read(multi, &left);
    if (message == NULL) {
        return -ENOMEM;
    }
    switch (message->data.result) {
    case CURLE_OK:
        return body->length == body->capacity ? 0 : -EPROTO;
    case CURLE_OUT_OF_MEMORY:
        return -ENOMEM;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        return -ECONNREFUSED;
    case CURLE_OPERATION_TIMEDOUT:
        return -ETIMEDOUT;
    default:
        return -EPROTO;
    }
}

/* Fetches the document at `url`, which has `bytes` bytes, and computes its checksum.
 * Returns 0 or -errno. */
static int body_fetch(const char *url, size_t bytes, struct context *context,
                      uint32_t *ret_sum)
{
    struct body body = {.text = malloc(bytes), .capacity = bytes};
    CURL *curl = curl_easy_init();
    CURLSH *share = curl_share_init(); /* keeps the connection for the next fetch */
    CURLM *multi = curl_multi_init();  /* only runs the transfer */
    int error = -ENOMEM;
    int running = 1;
    atomic_fetch_add(&bodies_held, 1);
    if (body.text != NULL && curl != NULL && multi != NULL &&
        curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT) == 0) {
        error = body_options(curl, share, url, &body);
        curl_multi_add_handle(multi, curl);
    }
    while (error == 0 && running > 0) {
        if (curl_multi_perform(multi, &running) != CURLM_OK) {
            error = -ENOMEM;
        } else if (running > 0) {
            error = body_wait(multi, context);
        } else {
            error = body_result(multi, &body);
        }
    }
    curl_multi_remove_handle(multi, curl);
    curl_multi_cleanup(multi);
    if (error == 0) {
        *ret_sum = scenario_digest(body.text, body.length);
        /* LEAK: on success, this return skips the clean-up below. */
        return 0;
    }
    curl_easy_cleanup(curl);
    curl_share_cleanup(share);
    free(body.text);
    atomic_fetch_sub(&bodies_held, 1);
    return error;
}

static int document_tell(const struct scenario_request *request,
                         struct scenario_answer *answer)
{
    pthread_once(&curl_once, curl_prepare);
    char url[URL_BYTES];
    int length = snprintf(url, sizeof(url), "%s/body?bytes=%zu", request->upstream_url,
                          request->bytes);
    if (length < 0 || (size_t)length >= sizeof(url)) {
        return -ENAMETOOLONG;
    }
    uint32_t sum;
    int error = body_fetch(url, request->bytes, request->context, &sum);
    if (error == 0) {
        uint32_t client = scenario_digest(request->id, strlen(request->id));
        scenario_answer_set(answer, "document %08x, %zu bytes, for %08x", sum,
                            request->bytes, client);
    }
    return error;
}

static size_t bodies_count(void)
{
    return atomic_load(&bodies_held);
}

const struct scenario http_body_scenario = {
    .name = "http-body",
    .family = "unclosed-bodies",
    .title = "A fetched body and its handle are never released",
    .kind = SCENARIO_PERMANENT,
    .story = "A service fetches a document from another server over HTTP with libcurl "
             "and computes its checksum.",
    .symptom = "Every request leaves a socket, a body and two handles behind. Once the "
               "other server has closed its end, the sockets are in state CLOSE_WAIT.",
    .cause = "The return on success skips curl_easy_cleanup, curl_share_cleanup and "
             "free. Until they are called, libcurl keeps the connection open for the "
             "next fetch.",
    .fix = "On success, continue to the same clean-up as on every error.",
    .find_it = "/status counts sockets, ls -l /proc/PID/fd shows them, and in two heap "
               "profiles body_fetch owns what grew: the body itself, and under it what "
               "libcurl took.",
    .bytes_default = 64 * 1024,
    .bytes_min = 1024,
    .bytes_max = 256 * 1024 * 1024,
    .bytes_meaning = "the document",
    /* libcurl 7.88 takes 19,900 bytes for a handle and its connection. */
    .leaves = {.blocks = 1, .library_bytes = 40 * 1024, .fds = 1},
    .suspect = "body_fetch",
    .run = document_tell,
    .held = bodies_count,
};
