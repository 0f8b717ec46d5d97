/*
 * A check that fails fills in the reply and marks it as the connection's last.
 */
#include "probe/http/check.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool probe_check_refuse(struct reply *reply, const char *fault)
{
    probe_reply_error(
        reply, 400, "bad_request",
        "send plain HTTP/1.1: one Host, one Content-Length, CRLF at each line's end",
        "%s", fault);
    reply->closes = true;
    return false;
}

static bool is_number(const char *text)
{
    size_t length = strspn(text, "0123456789");
    return length > 0 && length < 19 && text[length] == '\0';
}

static bool is_plain(const char *path)
{
    for (const char *p = path; *p != '\0'; p++) {
        if (*p <= ' ' || *p > '~') {
            return false;
        }
    }
    return path[0] == '/';
}

/* What is wrong with the way the request is framed; NULL if nothing is. */
static const char *framing_fault(const struct request *request)
{
    int hosts;
    int lengths;
    int encodings;
    probe_request_header(request, "Host", &hosts);
    const char *length = probe_request_header(request, "Content-Length", &lengths);
    const char *encoding =
        probe_request_header(request, "Transfer-Encoding", &encodings);
    if (hosts > 1 || (hosts == 0 && strcmp(request->version, "1.0") != 0)) {
        return "there must be one Host header";
    }
    if (lengths > 1 || encodings > 1 || (lengths == 1 && encodings == 1)) {
        return "the length of the body is given more than once";
    }
    if (length != NULL && !is_number(length)) {
        return "Content-Length is not a number";
    }
    if (encoding != NULL && strcasecmp(encoding, "chunked") != 0) {
        return "the only Transfer-Encoding taken is chunked";
    }
    if (!is_plain(request->path)) {
        return "the path must be plain: no path here needs percent-encoding";
    }
    return NULL;
}

bool probe_check_framing(const struct request *request, struct reply *reply)
{
    const char *fault = framing_fault(request);
    return fault == NULL || probe_check_refuse(reply, fault);
}

/* Whether `name` is one that this server knows of itself. */
static bool name_is_ours(const struct site *site, const char *name)
{
    return strcasecmp(name, "localhost") == 0 || strcmp(name, "127.0.0.1") == 0 ||
           strcasecmp(name, site->bind) == 0 ||
           (site->expose && strcasecmp(name, site->host_name) == 0);
}

/* Whether a request for `host` (without its port) is meant for this server. */
static bool host_is_ours(const struct site *site, const char *host, size_t length)
{
    char name[256];
    if (length == 0 || length >= sizeof(name)) {
        return false;
    }
    memcpy(name, host, length);
    name[length] = '\0';
    /* A foreign page can make its own name lead to this server, but no address. */
    struct in_addr address;
    return name_is_ours(site, name) ||
           (site->expose && inet_pton(AF_INET, name, &address) == 1);
}

/* Splits "name:port" of `length` bytes and checks both parts. */
static bool authority_is_ours(const struct site *site, const char *authority,
                              size_t length)
{
    char text[256];
    if (length >= sizeof(text)) {
        return false;
    }
    memcpy(text, authority, length);
    text[length] = '\0';
    size_t name_length = strcspn(text, ":");
    const char *port = text + name_length;
    if (*port == ':' && port[1] != '\0' && !is_number(port + 1)) {
        return false;
    }
    return host_is_ours(site, text, name_length);
}

/* Whether the target names no server (as "/status" does), or names this one. */
static bool target_is_ours(const struct request *request)
{
    static const char scheme[] = "http://";
    if (request->target == request->path) {
        return true;
    }
    const char *authority = request->target + sizeof(scheme) - 1;
    return strncasecmp(request->target, scheme, sizeof(scheme) - 1) == 0 &&
           request->path >= authority &&
           authority_is_ours(request->site, authority,
                             (size_t)(request->path - authority));
}

bool probe_check_host(const struct request *request, struct reply *reply)
{
    const char *host = probe_request_header(request, "Host", NULL);
    bool target = target_is_ours(request);
    if (target &&
        (host == NULL || authority_is_ours(request->site, host, strlen(host)))) {
        return true;
    }
    probe_reply_error(reply, 403, "forbidden_host",
                      "use localhost, 127.0.0.1 or the address that it listens on",
                      "'%s' is not a name of this server",
                      target ? host : request->target);
    reply->closes = true;
    return false;
}

/* What the header Origin says of the page that sends a request. */
enum sender {
    SENDER_FOREIGN, /* all other programs that listen on this machine are foreign */
    SENDER_OWN,     /* from the same address as the request */
    SENDER_READER,  /* from this server's other port, or from the peer */
};

static enum sender sender_of(const struct request *request, const char *text)
{
    const struct site *site = request->site;
    const char *host = probe_request_header(request, "Host", NULL);
    struct origin origin;
    struct origin own = {.port = 0};
    if (probe_origin_parse(text, strlen(text), &origin) != 0) {
        return SENDER_FOREIGN;
    }
    if (host != NULL && probe_origin_parse_host(host, strlen(host), &own) == 0 &&
        probe_origin_equal(&origin, &own)) {
        return SENDER_OWN;
    }
    /* Here any address will not do: a foreign page can have one. */
    if (request->other_port > 0 && (int)origin.port == request->other_port &&
        (name_is_ours(site, origin.host) || strcmp(origin.host, own.host) == 0)) {
        return SENDER_READER;
    }
    return probe_origin_same_server(&origin, &site->peer) ? SENDER_READER
                                                          : SENDER_FOREIGN;
}

/* Browsers say where a request comes from. They call a page on another port of this
 * machine "same-site", and send no Origin when it loads an image or a script. So a
 * request that changes something needs the extra check at the end. */
static bool is_cross_site(const struct request *request, bool acts,
                          const char **ret_reader)
{
    int sites;
    int origins;
    const char *site = probe_request_header(request, "Sec-Fetch-Site", &sites);
    const char *origin = probe_request_header(request, "Origin", &origins);
    if (sites > 1 || origins > 1) {
        return true;
    }
    if (site != NULL && strcasecmp(site, "cross-site") == 0) {
        return true;
    }
    if (origin != NULL) {
        enum sender sender = sender_of(request, origin);
        *ret_reader = sender == SENDER_READER ? origin : NULL;
        return sender == SENDER_FOREIGN;
    }
    return acts && site != NULL && strcasecmp(site, "same-site") == 0;
}

bool probe_check_site(const struct request *request, bool acts, struct reply *reply)
{
    if (!is_cross_site(request, acts, &reply->reader)) {
        return true;
    }
    probe_reply_error(reply, 403, "cross_site", request->site->hints.cross_site,
                      "another site's page may not drive this server");
    reply->closes = true;
    return false;
}

bool probe_check_body(struct reply *reply, long long bytes)
{
    if (bytes <= REQUEST_BODY_MAX) {
        return true;
    }
    probe_reply_error(reply, 413, "body_too_large",
                      "no request of this server needs a body over 64 KiB",
                      "the body has more than %d bytes", REQUEST_BODY_MAX);
    reply->closes = true;
    return false;
}
