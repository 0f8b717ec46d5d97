/*
 * Parsing is strict, because browsers write an origin in one way only.
 */
#include "probe/http/origin.h"

#include <errno.h>
#include <string.h>

#define HTTP_PORT 80
#define PORT_MAX 65535

/* Reads a port: digits, none of them a leading zero. Returns 0 if it is no port. */
static unsigned port_parse(const char *text, size_t length)
{
    unsigned port = 0;
    if (length == 0 || length > 5 || text[0] == '0') {
        return 0;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return 0;
        }
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    return port <= PORT_MAX ? port : 0;
}

/* A character of a host name in lower case; '\0' if it is none. */
static char host_character(char character)
{
    if (character >= 'A' && character <= 'Z') {
        return (char)(character - 'A' + 'a');
    }
    bool taken = (character >= 'a' && character <= 'z') ||
                 (character >= '0' && character <= '9') || character == '.' ||
                 character == '-' || character == '_';
    return taken ? character : '\0';
}

int probe_origin_parse_host(const char *text, size_t length, struct origin *ret_origin)
{
    struct origin origin = {.port = HTTP_PORT};
    const char *colon = memchr(text, ':', length);
    size_t host_length = colon == NULL ? length : (size_t)(colon - text);
    if (colon != NULL) {
        origin.port = port_parse(colon + 1, length - host_length - 1);
    }
    if (origin.port == 0 || host_length == 0 || host_length >= sizeof(origin.host)) {
        return -EINVAL;
    }
    for (size_t i = 0; i < host_length; i++) {
        origin.host[i] = host_character(text[i]);
        if (origin.host[i] == '\0') {
            return -EINVAL;
        }
    }
    *ret_origin = origin;
    return 0;
}

int probe_origin_parse(const char *text, size_t length, struct origin *ret_origin)
{
    static const char scheme[] = "http://";
    size_t scheme_length = sizeof(scheme) - 1;
    if (length < scheme_length || memcmp(text, scheme, scheme_length) != 0) {
        return -EINVAL;
    }
    return probe_origin_parse_host(text + scheme_length, length - scheme_length,
                                   ret_origin);
}

bool probe_origin_equal(const struct origin *a, const struct origin *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

static bool is_loopback(const struct origin *origin)
{
    return strcmp(origin->host, "localhost") == 0 ||
           strcmp(origin->host, "127.0.0.1") == 0;
}

bool probe_origin_same_server(const struct origin *a, const struct origin *b)
{
    return probe_origin_equal(a, b) ||
           (a->port == b->port && is_loopback(a) && is_loopback(b));
}
