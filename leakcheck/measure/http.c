/*
 * A thin layer over libcurl: sets its limits, and turns its errors into one line.
 */
#include "leakcheck/measure/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "leakcheck/measure/replies.h"

#define CONNECT_TIMEOUT_MS 4000

/* Says why the text is not a usable URL. The text before its last '@' may be a
 * password, so it is not shown. */
static int url_refuse(const char *url, struct failure *failure)
{
    const char *scheme = strstr(url, "://");
    const char *at = strrchr(url, '@');
    const char *shown = at == NULL ? url : at;
    int kept =
        at == NULL || scheme == NULL || scheme > at ? 0 : (int)(scheme + 3 - url);
    const char *hidden = at == NULL ? "" : "***";
    if (scheme == NULL) {
        return failure_set(failure, EINVAL,
                           "'%s%.200s' is not a server's URL: add http:// "
                           "(http://localhost:8080)",
                           hidden, shown);
    }
    return failure_set(failure, EINVAL, "'%.*s%s%.200s' is not a server's URL",
                       kept < 20 ? kept : 20, url, hidden, shown);
}

/* Commands that leakcheck starts do not get its connections. */
static int socket_prepare(void *argument, curl_socket_t socket, curlsocktype purpose)
{
    (void)argument;
    (void)purpose;
    fcntl(socket, F_SETFD, FD_CLOEXEC);
    return CURL_SOCKOPT_OK;
}

static size_t body_receive(char *bytes, size_t size, size_t count, void *argument)
{
    struct buffer *body = argument;
    size_t length = size * count;
    if (body->length + length > HTTP_REPLY_MAX) {
        return 0;
    }
    buffer_append(body, bytes, length);
    return body->error != 0 ? 0 : length;
}

/* Passes the user and password of `url`, if any, to libcurl. Returns false if libcurl
 * cannot parse the URL. */
static bool login_take(CURL *curl, const char *url)
{
    char *user = NULL;
    char *password = NULL;
    CURLU *parts = curl_url();
    bool good =
        parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK;
    if (good && curl_url_get(parts, CURLUPART_USER, &user, CURLU_URLDECODE) == 0) {
        curl_easy_setopt(curl, CURLOPT_USERNAME, user);
    }
    if (good &&
        curl_url_get(parts, CURLUPART_PASSWORD, &password, CURLU_URLDECODE) == 0) {
        curl_easy_setopt(curl, CURLOPT_PASSWORD, password);
    }
    curl_free(user);
    curl_free(password);
    curl_url_cleanup(parts);
    return good;
}

/* Copies `length` bytes of a URL without user and password. These are the text between
 * "://" and the last '@' before the path. */
static void login_leave_out(char *base, const char *url, size_t length)
{
    size_t host = (size_t)(strstr(url, "://") + 3 - url);
    size_t path = host + strcspn(url + host, "/");
    size_t rest = host;
    for (size_t i = host; i < path && i < length; i++) {
        rest = url[i] == '@' ? i + 1 : rest;
    }
    memcpy(base, url, host);
    memcpy(base + host, url + rest, length - rest);
}

int http_open(struct http *http, const char *url, struct failure *failure)
{
    *http = (struct http){.deadline_ms = INT64_MAX};
    size_t length = strlen(url);
    while (length > 0 && url[length - 1] == '/') {
        length--;
    }
    bool web = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
    if (!web || length < 8 || length >= sizeof(http->base) ||
        strpbrk(url, "?# \t\r\n") != NULL) {
        return url_refuse(url, failure);
    }
    CURL *curl = curl_easy_init();
    if (curl == NULL) {
        return failure_set(failure, ENOMEM, "out of memory");
    }
    memcpy(http->given, url, length);
    login_leave_out(http->base, url, length);
    if (!login_take(curl, http->given)) {
        curl_easy_cleanup(curl);
        *http = (struct http){0};
        return url_refuse(url, failure);
    }
    http->handle = curl;
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_MAXFILESIZE, (long)HTTP_REPLY_MAX);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "leakcheck");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_receive);
    curl_easy_setopt(curl, CURLOPT_SOCKOPTFUNCTION, socket_prepare);
    return 0;
}

void http_deadline(struct http *http, int64_t deadline_ms)
{
    http->deadline_ms = deadline_ms;
}

unsigned http_port(const struct http *http)
{
    unsigned port = 0;
    char *text = NULL;
    CURLU *url = curl_url();
    if (url != NULL && curl_url_set(url, CURLUPART_URL, http->base, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_PORT, &text, CURLU_DEFAULT_PORT) == CURLUE_OK) {
        port = (unsigned)strtoul(text, NULL, 10);
    }
    curl_free(text);
    curl_url_cleanup(url);
    return port;
}

unsigned http_local_port(const struct http *http)
{
    long port = 0;
    curl_easy_getinfo(http->handle, CURLINFO_LOCAL_PORT, &port);
    return port > 0 ? (unsigned)port : 0;
}

bool http_is_hung_up(const struct http *http)
{
    curl_socket_t socket = CURL_SOCKET_BAD;
    char byte;
    curl_easy_getinfo(http->handle, CURLINFO_ACTIVESOCKET, &socket);
    return socket != CURL_SOCKET_BAD &&
           (recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
            (errno != EAGAIN && errno != EINTR));
}

void http_hang_up(struct http *http)
{
    CURL *same = curl_easy_duphandle(http->handle); /* without the connection */
    if (same != NULL) {
        curl_easy_cleanup(http->handle);
        http->handle = same;
    }
}

void http_close(struct http *http)
{
    if (http->handle != NULL) {
        curl_easy_cleanup(http->handle);
    }
    *http = (struct http){0};
}

/* How long the next request may take; 0 if the run's time is over. */
static long request_time_ms(const struct http *http)
{
    int64_t now = clock_now_ms();
    if (http->deadline_ms <= now) {
        return 0;
    }
    int64_t left = http->deadline_ms - now;
    return left < HTTP_TIMEOUT_MS ? (long)left : HTTP_TIMEOUT_MS;
}

static int deadline_refuse(const char *url, struct failure *failure)
{
    return failure_set(failure, ETIMEDOUT,
                       "the run's time is over (at %s); --timeout allows more", url);
}

/* Sends the request once. `reason` has CURL_ERROR_SIZE bytes. */
static CURLcode attempt(struct http *http, const char *url, struct http_reply *reply,
                        char *reason)
{
    CURL *curl = http->handle;
    http->time_ms = request_time_ms(http);
    reply->status = 0;
    reason[0] = '\0';
    buffer_clear(&reply->body);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    /* To libcurl, 0 means no limit. */
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, http->time_ms == 0 ? 1 : http->time_ms);
    curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, http->fresh ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, http->fresh ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply->body);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, NULL);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply->status);
    return code;
}

/* Whether a reused connection was closed before the first byte of the reply: the server
 * had closed it without notice. libcurl repeats such a request itself, but only five
 * times in the life of a handle (Curl_retry_request). */
static bool kept_connection_died(const struct http *http, CURLcode code)
{
    long opened = 0;
    long header_bytes = 0;
    curl_off_t body_bytes = 0;
    curl_easy_getinfo(http->handle, CURLINFO_NUM_CONNECTS, &opened);
    curl_easy_getinfo(http->handle, CURLINFO_HEADER_SIZE, &header_bytes);
    curl_easy_getinfo(http->handle, CURLINFO_SIZE_DOWNLOAD_T, &body_bytes);
    bool broken = code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR ||
                  code == CURLE_GOT_NOTHING;
    return broken && opened == 0 && header_bytes == 0 && body_bytes == 0;
}

/* Turns libcurl's result into one line. */
static int attempt_explain(const struct http *http, const char *url, CURLcode code,
                           const char *reason, struct failure *failure)
{
    switch (code) {
    case CURLE_OK:
        return 0;
    case CURLE_WRITE_ERROR:
    case CURLE_FILESIZE_EXCEEDED:
        return failure_set(failure, EFBIG, "%s: the reply is larger than %d MiB", url,
                           (int)(HTTP_REPLY_MAX / MIB));
    case CURLE_OPERATION_TIMEDOUT:
        if (http->time_ms < HTTP_TIMEOUT_MS) {
            return deadline_refuse(url, failure);
        }
        return failure_set(failure, ETIMEDOUT, "%s: no whole reply in time: %s", url,
                           reason);
    default:
        return failure_set(failure, EIO, "%s: %s", url,
                           reason[0] == '\0' ? curl_easy_strerror(code) : reason);
    }
}

static int request_send(struct http *http, const char *path, struct http_reply *reply,
                        struct failure *failure)
{
    char url[2048];
    char reason[CURL_ERROR_SIZE];
    if (snprintf(url, sizeof(url), "%s%s", http->base, path) >= (int)sizeof(url)) {
        return failure_set(failure, EINVAL, "the path is too long: %.100s...", path);
    }
    if (request_time_ms(http) == 0) {
        return deadline_refuse(url, failure);
    }
    CURLcode code = attempt(http, url, reply, reason);
    if (!http->fresh && kept_connection_died(http, code)) {
        http->fresh = true;
        code = attempt(http, url, reply, reason);
    }
    return attempt_explain(http, url, code, reason, failure);
}

int http_get(struct http *http, const char *path, struct http_reply *reply,
             struct failure *failure)
{
    curl_easy_setopt(http->handle, CURLOPT_HTTPGET, 1L);
    return request_send(http, path, reply, failure);
}

int http_post(struct http *http, const char *path, const char *body,
              struct http_reply *reply, struct failure *failure)
{
    curl_easy_setopt(http->handle, CURLOPT_POST, 1L);
    curl_easy_setopt(http->handle, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
    curl_easy_setopt(http->handle, CURLOPT_POSTFIELDS, body);
    int error = request_send(http, path, reply, failure);
    curl_easy_setopt(http->handle, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(http->handle, CURLOPT_POSTFIELDS, NULL);
    return error;
}

/* A reply to HEAD has no body. What is usually sent with a body says that it has none
 * by a length of 0: some servers insist on that. */
static void method_set(CURL *curl, const struct http_request *request)
{
    bool sends = request->body != NULL || strcmp(request->method, "POST") == 0 ||
                 strcmp(request->method, "PUT") == 0 ||
                 strcmp(request->method, "PATCH") == 0;
    const char *body = request->body == NULL ? "" : request->body;
    if (strcmp(request->method, "HEAD") == 0) {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    } else if (sends) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
}

/* The handle's next request is a plain GET again. */
static void method_reset(CURL *curl)
{
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, NULL);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, NULL);
    curl_easy_setopt(curl, CURLOPT_NOBODY, 0L);
    curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
}

int http_send(struct http *http, const struct http_request *request,
              struct http_reply *reply, struct failure *failure)
{
    struct curl_slist *headers = NULL;
    for (size_t i = 0; i < request->header_count; i++) {
        struct curl_slist *longer = curl_slist_append(headers, request->headers[i]);
        if (longer == NULL) {
            curl_slist_free_all(headers);
            return failure_set(failure, ENOMEM, "out of memory");
        }
        headers = longer;
    }
    method_set(http->handle, request);
    curl_easy_setopt(http->handle, CURLOPT_HTTPHEADER, headers);
    int error = request_send(http, request->path, reply, failure);
    method_reset(http->handle);
    curl_slist_free_all(headers);
    return error;
}

int http_connect(struct http *http, struct failure *failure)
{
    char reason[CURL_ERROR_SIZE] = "";
    long time_ms = request_time_ms(http);
    if (time_ms == 0) {
        return deadline_refuse(http->base, failure);
    }
    curl_easy_setopt(http->handle, CURLOPT_URL, http->base);
    curl_easy_setopt(http->handle, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(http->handle, CURLOPT_TIMEOUT_MS, time_ms);
    curl_easy_setopt(http->handle, CURLOPT_ERRORBUFFER, reason);
    CURLcode code = curl_easy_perform(http->handle);
    curl_easy_setopt(http->handle, CURLOPT_ERRORBUFFER, NULL);
    if (code == CURLE_OK) {
        return 0;
    }
    return failure_set(failure, code == CURLE_COULDNT_CONNECT ? ECONNREFUSED : EIO,
                       "%s: %s", http->base,
                       reason[0] == '\0' ? curl_easy_strerror(code) : reason);
}

int http_refusal(const struct http *http, const char *path,
                 const struct http_reply *reply, struct failure *failure)
{
    struct reply_error error;
    reply_error_parse(&error, reply->body.data, reply->body.length);
    if (reply->status >= 300 && reply->status < 400) {
        return failure_set(failure, EPROTO,
                           "%s%s: answered %ld, a redirect, which is not followed; "
                           "give the server's own URL",
                           http->base, path, reply->status);
    }
    const char *colon = error.message[0] == '\0' ? "" : ": ";
    const char *stop = error.hint[0] == '\0' ? "" : "; ";
    if (reply->status == 503) {
        return failure_set(
            failure, EAGAIN, "%s%s: refused with 503 (%s)%s%s%s%s; no verdict",
            http->base, path, error.code[0] == '\0' ? "overloaded" : error.code, colon,
            error.message, stop, error.hint);
    }
    int number = reply->status == 404 || reply->status == 501 ? ENOENT : EPROTO;
    return failure_set(failure, number, "%s%s: answered %ld%s%s%s%s", http->base, path,
                       reply->status, colon, error.message, stop, error.hint);
}

int http_get_ok(struct http *http, const char *path, struct http_reply *reply,
                struct failure *failure)
{
    int error = http_get(http, path, reply, failure);
    if (error < 0) {
        return error;
    }
    if (reply->status != 200) {
        return http_refusal(http, path, reply, failure);
    }
    return 0;
}

void http_reply_release(struct http_reply *reply)
{
    buffer_release(&reply->body);
    reply->status = 0;
}
