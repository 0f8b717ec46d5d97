/*
 * Checking a request before a handler sees it. civetweb 1.15 accepts much that another
 * HTTP program on the way might read differently (two lengths, no Host, bare line
 * feeds); all of that is refused here, and the connection is closed.
 */
#include "server/request.h"

#include <arpa/inet.h>
#include <civetweb.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/reply.h"
#include "server/server_private.h"

static const char framing_hint[] =
    "send plain HTTP/1.1: one Host, one Content-Length, CRLF at each line's end";

/* The value of a header that is there once; NULL if it is not there. *ret_count says
 * how often it is. */
static const char *find_header(const struct mg_request_info *info, const char *name,
                               int *ret_count)
{
    const char *value = NULL;
    *ret_count = 0;
    for (int i = 0; i < info->num_headers; i++) {
        if (strcasecmp(info->http_headers[i].name, name) == 0) {
            value = info->http_headers[i].value;
            (*ret_count)++;
        }
    }
    return value;
}

static bool is_number(const char *text)
{
    size_t length = strspn(text, "0123456789");
    return length > 0 && length < 19 && text[length] == '\0';
}

/* The bytes after a line that ends with CR LF. civetweb cuts the lines apart where they
 * lie, and writes a NUL over the CR. */
static const char *line_after(const char *line)
{
    return line + strlen(line) + 2;
}

/* Whether nothing but blanks is between the name and the value: no space before the
 * colon, of which a NUL is left. */
static bool header_is_strict(const struct mg_header *header)
{
    for (const char *p = header->name + strlen(header->name) + 1; p < header->value;
         p++) {
        if (*p != ' ' && *p != '\t') {
            return false;
        }
    }
    return header->name[0] != '\0';
}

/* Whether the lines follow one another without a gap, up to the empty one. Otherwise a
 * line ends without its CR, or civetweb skipped one: it takes a header without a name
 * for the end, and does not see the Content-Length that comes after it. */
static bool head_is_strict(const struct mg_request_info *info)
{
    const char *next = line_after(info->http_version);
    for (int i = 0; i < info->num_headers; i++) {
        const struct mg_header *header = &info->http_headers[i];
        if (header->name != next || !header_is_strict(header)) {
            return false;
        }
        next = line_after(header->value);
    }
    /* Of the empty line the LF is overwritten, without any header the CR is, too. */
    bool empty = next[0] == '\r' || (info->num_headers == 0 && next[0] == '\0');
    return empty && next[1] == '\0';
}

/* The path of the request. A target may also name the server before it, "GET
 * http://localhost:8080/status"; civetweb takes that when the port is ours. */
static const char *path_of(const struct mg_request_info *info)
{
    return info->local_uri_raw != NULL ? info->local_uri_raw : "";
}

/* civetweb decodes the path where it lies, too: if it became shorter, something in it
 * was percent-encoded, perhaps a NUL that hides the rest. */
static bool path_is_plain(const struct mg_request_info *info)
{
    const char *path = path_of(info);
    const char *end = info->query_string != NULL
                          ? info->query_string - 1
                          : info->http_version - strlen(" HTTP/");
    if (path[0] != '/' || path + strlen(path) != end) {
        return false;
    }
    for (; *path != '\0'; path++) {
        if (*path <= ' ' || *path > '~') {
            return false;
        }
    }
    return true;
}

/* What is wrong with the way the request is framed; NULL if nothing is. */
static const char *framing_fault(const struct mg_request_info *info)
{
    int hosts;
    int lengths;
    int encodings;
    find_header(info, "Host", &hosts);
    const char *length = find_header(info, "Content-Length", &lengths);
    const char *encoding = find_header(info, "Transfer-Encoding", &encodings);
    if (info->num_headers >= MG_MAX_HEADERS) {
        return "too many headers"; /* civetweb drops what is beyond without a word */
    }
    if (!head_is_strict(info)) {
        return "a header line is not well formed";
    }
    if (hosts > 1 || (hosts == 0 && strcmp(info->http_version, "1.0") != 0)) {
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
    if (!path_is_plain(info)) {
        return "the path must be plain: no path here needs percent-encoding";
    }
    return NULL;
}

/* Whether `host` (without its port) names this server. Other names may come from a page
 * that points a name of its own at this address (DNS rebinding). */
static bool host_is_ours(const struct server *server, const char *host, size_t length)
{
    char name[256];
    if (length == 0 || length >= sizeof(name)) {
        return false;
    }
    memcpy(name, host, length);
    name[length] = '\0';
    if (strcasecmp(name, "localhost") == 0 || strcmp(name, "127.0.0.1") == 0 ||
        strcasecmp(name, server->settings->options->bind) == 0) {
        return true;
    }
    if (!server->settings->options->expose) {
        return false;
    }
    /* An address is no name that a foreign page could own. */
    struct in_addr address;
    return inet_pton(AF_INET, name, &address) == 1 ||
           strcasecmp(name, server->host_name) == 0;
}

/* Splits "name:port" and checks both parts. */
static bool authority_is_ours(const struct server *server, const char *authority)
{
    size_t length = strcspn(authority, ":");
    const char *port = authority + length;
    if (*port == ':' && port[1] != '\0' && !is_number(port + 1)) {
        return false;
    }
    return host_is_ours(server, authority, length);
}

/* Whether the target names no server, "/status", or this one. */
static bool target_is_ours(const struct server *server,
                           const struct mg_request_info *info)
{
    static const char scheme[] = "http://";
    const char *path = path_of(info);
    if (info->request_uri == path) {
        return true;
    }
    const char *authority = info->request_uri + sizeof(scheme) - 1;
    char name[256];
    if (strncasecmp(info->request_uri, scheme, sizeof(scheme) - 1) != 0 ||
        path < authority || (size_t)(path - authority) >= sizeof(name)) {
        return false;
    }
    memcpy(name, authority, (size_t)(path - authority));
    name[path - authority] = '\0';
    return authority_is_ours(server, name);
}

/* Whether the header Origin names a page that may drive this server: one that came from
 * the very address that is asked now, from this server's other port, or from the peer.
 * Anything else that listens on this machine is a stranger. */
static bool origin_is_allowed(const struct request *request, const char *host,
                              const char *text)
{
    const struct server *server = request->server;
    struct origin origin;
    struct origin asked;
    if (probe_origin_parse(text, strlen(text), &origin) != 0) {
        return false;
    }
    if (host != NULL && probe_origin_parse_host(host, strlen(host), &asked) == 0 &&
        probe_origin_equal(&origin, &asked)) {
        return true;
    }
    int other_port = request->debug_port ? server->main.port : server->debug.port;
    if ((int)origin.port == other_port &&
        host_is_ours(server, origin.host, strlen(origin.host))) {
        return true;
    }
    return probe_origin_equal(&origin, &server->settings->options->peer);
}

static bool is_leak(const char *path)
{
    return strcmp(path, "/leak") == 0 || strncmp(path, "/leak/", 6) == 0;
}

/* A browser says where a request comes from: another site may not drive this server. To
 * a browser, a page on another port of this machine is "same-site". When such a page
 * asks for a picture or a script, the browser sends no Origin; so /leak needs the check
 * of its own at the end. */
static bool is_cross_site(const struct request *request,
                          const struct mg_request_info *info)
{
    int sites;
    int origins;
    int hosts;
    const char *site = find_header(info, "Sec-Fetch-Site", &sites);
    const char *origin = find_header(info, "Origin", &origins);
    const char *host = find_header(info, "Host", &hosts);
    if (sites > 1 || origins > 1) {
        return true;
    }
    if (site != NULL && strcasecmp(site, "cross-site") == 0) {
        return true;
    }
    if (origin != NULL) {
        return !origin_is_allowed(request, host, origin);
    }
    return site != NULL && strcasecmp(site, "same-site") == 0 && is_leak(request->path);
}

/* A client that asked "Expect: 100-continue" sends its body only after these words. */
static void invite_body(struct request *request, const struct mg_request_info *info)
{
    static const char words[] = "HTTP/1.1 100 Continue\r\n\r\n";
    int count;
    const char *expected = find_header(info, "Expect", &count);
    if (count == 1 && strcasecmp(expected, "100-continue") == 0 &&
        strcmp(info->http_version, "1.1") == 0) {
        mg_write(request->connection, words, sizeof(words) - 1);
    }
}

/* Reads the body whole. Returns false when the error has been sent. */
static bool read_body(struct request *request, const struct mg_request_info *info)
{
    if (info->content_length > REQUEST_BODY_MAX) {
        reply_error_close(request, 413, "body_too_large",
                          "no request of this server needs a body over 64 KiB",
                          "the body has %lld bytes, %d are taken", info->content_length,
                          REQUEST_BODY_MAX);
        return false;
    }
    int encodings;
    find_header(info, "Transfer-Encoding", &encodings);
    if (info->content_length <= 0 && encodings == 0) {
        return true;
    }
    /* One byte more than is taken shows that a chunked body is too long; another is for
     * the NUL. */
    size_t room = encodings > 0 ? REQUEST_BODY_MAX + 1 : (size_t)info->content_length;
    request->body = malloc(room + 1);
    if (request->body == NULL) {
        reply_json(request, 503, NULL);
        return false;
    }
    invite_body(request, info);
    int got = 0;
    while (request->body_bytes < room &&
           (got = mg_read(request->connection, request->body + request->body_bytes,
                          room - request->body_bytes)) > 0) {
        request->body_bytes += (size_t)got;
    }
    request->body[request->body_bytes] = '\0';
    if (request->body_bytes > REQUEST_BODY_MAX) {
        reply_error_close(request, 413, "body_too_large",
                          "no request of this server needs a body over 64 KiB",
                          "the body has more than %d bytes", REQUEST_BODY_MAX);
        return false;
    }
    if (got < 0 || (encodings == 0 && request->body_bytes < room)) {
        reply_error_close(request, 400, "bad_request", framing_hint,
                          "the body ended too early, or a chunk of it is wrong");
        return false;
    }
    return true;
}

static enum request_method method_of(const char *name)
{
    static const struct {
        const char *name;
        enum request_method method;
    } methods[] = {{"GET", METHOD_GET}, {"HEAD", METHOD_HEAD}, {"POST", METHOD_POST}};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (strcmp(name, methods[i].name) == 0) {
            return methods[i].method;
        }
    }
    return 0; /* none that any route takes: 405 */
}

bool request_init(struct request *request, struct mg_connection *connection,
                  struct server *server, bool debug_port)
{
    const struct mg_request_info *info = mg_get_request_info(connection);
    *request = (struct request){
        .connection = connection,
        .server = server,
        .method = method_of(info->request_method),
        .debug_port = debug_port,
        .path = path_of(info),
        .query = info->query_string != NULL ? info->query_string : "",
    };
    const char *fault = framing_fault(info);
    if (fault != NULL) {
        reply_error_close(request, 400, "bad_request", framing_hint, "%s", fault);
        return false;
    }
    int hosts;
    const char *host = find_header(info, "Host", &hosts);
    if (!target_is_ours(server, info) ||
        (host != NULL && !authority_is_ours(server, host))) {
        reply_error_close(request, 403, "forbidden_host",
                          "use localhost, 127.0.0.1 or the address given with --bind",
                          "'%s' is not a name of this server",
                          target_is_ours(server, info) ? host : info->request_uri);
        return false;
    }
    if (is_cross_site(request, info)) {
        reply_error_close(request, 403, "cross_site",
                          "open this server's own pages, or use curl; --peer URL "
                          "allows the pages of the lab's other server",
                          "another site's page may not drive this server");
        return false;
    }
    if (!read_body(request, info)) {
        request_finish(request);
        return false;
    }
    return true;
}

void request_finish(struct request *request)
{
    free(request->body);
    request->body = NULL;
}

/* The value of a hexadecimal digit, -1 if it is none. */
static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    char letter = (char)(digit | 0x20);
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* Decodes `length` bytes of a form (application/x-www-form-urlencoded) into `to`, which
 * has room for `size`. Returns false if that is not well formed, too long, or not made
 * of printable ASCII characters. */
static bool form_decode(char *to, size_t size, const char *from, size_t length)
{
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        char byte = from[i] == '+' ? ' ' : from[i];
        if (byte == '%') {
            int high = i + 2 < length ? hex_value(from[i + 1]) : -1;
            int low = i + 2 < length ? hex_value(from[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return false;
            }
            byte = (char)(high * 16 + low);
            i += 2;
        }
        if (used + 1 >= size || !isprint((unsigned char)byte)) {
            return false;
        }
        to[used++] = byte;
    }
    to[used] = '\0';
    return true;
}

/* Reads the value of one parameter. Returns NULL, or what is wrong with it. */
static const char *read_value(struct parameter *parameter, const char *text)
{
    if (parameter->present) {
        return "is given twice";
    }
    parameter->present = true;
    if (parameter->type == PARAMETER_TEXT) {
        snprintf(parameter->text, sizeof(parameter->text), "%s", text);
        return *text == '\0' ? "is empty" : NULL;
    }
    int error = parameter->type == PARAMETER_SIZE
                    ? options_size(text, &parameter->number)
                    : options_number(text, &parameter->number);
    if (error == -EINVAL) {
        return "is not a number";
    }
    if (error != 0 || parameter->number < parameter->minimum ||
        parameter->number > parameter->maximum) {
        return "is out of range";
    }
    return NULL;
}

static void refuse_value(struct request *request, const struct parameter *parameter,
                         const char *fault)
{
    char hint[128];
    if (parameter->type == PARAMETER_TEXT) {
        snprintf(hint, sizeof(hint), "%s is 1 to %d printable ASCII characters",
                 parameter->name, REQUEST_TEXT_MAX);
    } else {
        snprintf(hint, sizeof(hint), "%s is a %s from %lu to %lu", parameter->name,
                 parameter->type == PARAMETER_SIZE ? "size (bytes, or with K, M, G)"
                                                   : "number",
                 (unsigned long)parameter->minimum, (unsigned long)parameter->maximum);
    }
    reply_error(request, 400, "bad_parameter", hint, "%s %s", parameter->name, fault);
}

static void refuse_unknown(struct request *request, const char *name,
                           const struct parameter *parameters, size_t count)
{
    char hint[256] = "this route takes no parameters";
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        used +=
            (size_t)snprintf(hint + used, sizeof(hint) - used, "%s%s",
                             i == 0 ? "this route takes " : ", ", parameters[i].name);
    }
    reply_error(request, 400, "unknown_parameter", hint, "unknown parameter '%s'",
                name);
}

/* Reads one "name=value" of a form. */
static bool read_pair(struct request *request, const char *pair, size_t length,
                      struct parameter *parameters, size_t count)
{
    const char *equals = memchr(pair, '=', length);
    size_t name_length = equals == NULL ? length : (size_t)(equals - pair);
    char name[32];
    if (!form_decode(name, sizeof(name), pair, name_length)) {
        refuse_unknown(request, "(not readable)", parameters, count);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct parameter *parameter = &parameters[i];
        if (strcmp(parameter->name, name) != 0) {
            continue;
        }
        char text[REQUEST_TEXT_MAX + 1];
        const char *fault = "is too long, or not printable";
        const char *value = equals == NULL ? "" : equals + 1;
        size_t value_length = equals == NULL ? 0 : length - name_length - 1;
        if (form_decode(text, sizeof(text), value, value_length)) {
            fault = read_value(parameter, text);
        }
        if (fault != NULL) {
            refuse_value(request, parameter, fault);
        }
        return fault == NULL;
    }
    refuse_unknown(request, name, parameters, count);
    return false;
}

static bool read_form(struct request *request, const char *form,
                      struct parameter *parameters, size_t count)
{
    while (*form != '\0') {
        size_t length = strcspn(form, "&");
        if (length > 0 && !read_pair(request, form, length, parameters, count)) {
            return false;
        }
        form += length;
        if (*form == '&') {
            form++;
        }
    }
    return true;
}

bool request_parameters(struct request *request, struct parameter *parameters,
                        size_t count)
{
    if (!read_form(request, request->query, parameters, count)) {
        return false;
    }
    if (request->body_bytes == 0) {
        return true;
    }
    static const char form[] = "application/x-www-form-urlencoded";
    const char *type = mg_get_header(request->connection, "Content-Type");
    if (type == NULL || strncasecmp(type, form, sizeof(form) - 1) != 0 ||
        strlen(request->body) != request->body_bytes) {
        reply_error(request, 400, "bad_request",
                    "send parameters in the query, or as a form (curl -d)",
                    "the body is not a form");
        return false;
    }
    return read_form(request, request->body, parameters, count);
}
