/*
 * The judge's HTTP client, over libcurl.
 */
#include "http.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "replies.h"

#define CONNECT_TIMEOUT_MS 4000

static size_t body_receive(char *bytes, size_t size, size_t count, void *argument)
{
    struct buffer *body = argument;
    size_t length = size * count;
    if (body->length + length > HTTP_REPLY_MAX) {
        return 0;
    }
    buffer_append(body, bytes, length);
    return body->failed ? 0 : length;
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
        return failure_set(failure, EINVAL, "'%.200s' is not a server's URL", url);
    }
    memcpy(http->base, url, length);
    CURL *curl = curl_easy_init();
    if (curl == NULL) {
        return failure_set(failure, ENOMEM, "out of memory");
    }
    http->handle = curl;
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)HTTP_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_MAXFILESIZE, (long)HTTP_REPLY_MAX);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "leakcheck");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_receive);
    return 0;
}

void http_deadline(struct http *http, int64_t deadline_ms)
{
    http->deadline_ms = deadline_ms;
}

void http_close(struct http *http)
{
    if (http->handle != NULL) {
        curl_easy_cleanup(http->handle);
    }
    *http = (struct http){0};
}

static int request_send(struct http *http, const char *path, struct http_reply *reply,
                        struct failure *failure)
{
    char url[2048];
    char reason[CURL_ERROR_SIZE] = "";
    if (snprintf(url, sizeof(url), "%s%s", http->base, path) >= (int)sizeof(url)) {
        return failure_set(failure, EINVAL, "the path is too long: %.100s...", path);
    }
    reply->status = 0;
    buffer_clear(&reply->body);
    curl_easy_setopt(http->handle, CURLOPT_URL, url);
    curl_easy_setopt(http->handle, CURLOPT_WRITEDATA, &reply->body);
    curl_easy_setopt(http->handle, CURLOPT_ERRORBUFFER, reason);
    CURLcode code = curl_easy_perform(http->handle);
    curl_easy_setopt(http->handle, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(http->handle, CURLOPT_WRITEDATA, NULL);
    curl_easy_getinfo(http->handle, CURLINFO_RESPONSE_CODE, &reply->status);
    if (code == CURLE_OK) {
        return 0;
    }
    if (code == CURLE_WRITE_ERROR || code == CURLE_FILESIZE_EXCEEDED) {
        return failure_set(failure, EFBIG, "%s: the reply is larger than %d MiB", url,
                           HTTP_REPLY_MAX / 1024 / 1024);
    }
    const char *why = reason[0] == '\0' ? curl_easy_strerror(code) : reason;
    return failure_set(failure, EIO, "%s: %s", url, why);
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
    int result = request_send(http, path, reply, failure);
    curl_easy_setopt(http->handle, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(http->handle, CURLOPT_POSTFIELDS, NULL);
    return result;
}

/* Turns a reply that is not 200 into one line. */
static int refusal_explain(const struct http *http, const char *path,
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
    int result = http_get(http, path, reply, failure);
    if (result < 0) {
        return result;
    }
    if (reply->status != 200) {
        return refusal_explain(http, path, reply, failure);
    }
    return 0;
}

void http_reply_release(struct http_reply *reply)
{
    buffer_release(&reply->body);
    reply->status = 0;
}
