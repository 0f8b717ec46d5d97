#include "probe/http/head.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

long probe_head_find(const char *bytes, size_t length, size_t *scanned)
{
    const char *from = bytes + *scanned;
    const char *end = bytes + length;
    const char *feed;
    while (from < end && (feed = memchr(from, '\n', (size_t)(end - from))) != NULL) {
        size_t at = (size_t)(feed - bytes);
        if (at < 1 || bytes[at - 1] != '\r') {
            return -EINVAL;
        }
        from = feed + 1;
        if (at == 1 || (at >= 3 && bytes[at - 2] == '\n')) {
            *scanned = at + 1;
            return (long)(at + 1);
        }
    }
    *scanned = length;
    return 0;
}

/* A character of a method or of a header's name (RFC 9110, "Tokens"). */
static bool is_token(char character)
{
    return (character >= '0' && character <= '9') ||
           (character >= 'A' && character <= 'Z') ||
           (character >= 'a' && character <= 'z') ||
           (character != '\0' && strchr("!#$%&'*+-.^_`|~", character) != NULL);
}

static size_t token_length(const char *text)
{
    size_t length = 0;
    while (is_token(text[length])) {
        length++;
    }
    return length;
}

/* Ends the line that begins at `line` with a '\0' in place of its CR. Returns the
 * beginning of the next one; NULL if the line holds a character that no line may
 * have. */
static char *line_end(char *line, const char *end)
{
    for (char *p = line; p < end; p++) {
        if (*p == '\r' && p + 1 < end && p[1] == '\n') {
            *p = '\0';
            return p + 2;
        }
        unsigned char byte = (unsigned char)*p;
        if ((byte < ' ' && byte != '\t') || byte == 0x7f) {
            return NULL;
        }
    }
    return NULL;
}

/* Finds the path in a target: "/status?x=1", or "http://localhost/status". Returns NULL
 * or what is wrong. */
static const char *split_target(char *target, struct request *request)
{
    static const char scheme[] = "http://";
    for (const char *p = target; *p != '\0'; p++) {
        if (*p <= ' ' || *p > '~') {
            return "the path must be plain: no path here needs percent-encoding";
        }
    }
    char *query = strchr(target, '?');
    if (query != NULL) {
        *query++ = '\0';
    }
    request->target = target;
    request->query = query != NULL ? query : "";
    request->path = target;
    if (strncasecmp(target, scheme, sizeof(scheme) - 1) == 0) {
        request->path = target + sizeof(scheme) - 1;
        request->path += strcspn(request->path, "/");
    }
    if (request->path[0] != '/') {
        return "the target must be a path, such as /status";
    }
    if (strchr(request->path, '%') != NULL) {
        return "the path must be plain: no path here needs percent-encoding";
    }
    return NULL;
}

/* Reads "GET /status HTTP/1.1". Returns NULL or what is wrong. */
static const char *split_first_line(char *line, struct request *request)
{
    static const char protocol[] = "HTTP/1.";
    size_t length = token_length(line);
    char *target = line + length + 1;
    if (length == 0 || line[length] != ' ' || *target == '\0') {
        return "the first line must be METHOD TARGET HTTP/1.1";
    }
    line[length] = '\0';
    char *version = strchr(target, ' ');
    if (version == NULL || version == target ||
        strncmp(version + 1, protocol, sizeof(protocol) - 1) != 0) {
        return "the first line must be METHOD TARGET HTTP/1.1";
    }
    *version = '\0';
    version += strlen(" HTTP/");
    if (strcmp(version, "1.1") != 0 && strcmp(version, "1.0") != 0) {
        return "the version must be HTTP/1.1 or HTTP/1.0";
    }
    request->method = probe_request_method(line);
    request->version = version;
    return split_target(target, request);
}

/* Reads "Name: value". Returns NULL or what is wrong. */
static const char *split_header(char *line, struct request_header *header)
{
    size_t length = token_length(line);
    if (length == 0 || line[length] != ':') {
        return "a header line is not well formed";
    }
    line[length] = '\0';
    char *value = line + length + 1;
    value += strspn(value, " \t");
    size_t kept = strlen(value);
    while (kept > 0 && (value[kept - 1] == ' ' || value[kept - 1] == '\t')) {
        kept--;
    }
    value[kept] = '\0';
    *header = (struct request_header){.name = line, .value = value};
    return NULL;
}

const char *probe_head_split(char *head, size_t length,
                             struct request_header headers[HEAD_HEADERS_MAX],
                             struct request *request)
{
    const char *end = head + length;
    char *line = head;
    char *next = line_end(line, end);
    if (next == NULL) {
        return "the first line has a character that is not allowed";
    }
    const char *fault = split_first_line(line, request);
    size_t count = 0;
    for (line = next; fault == NULL && line < end - 2; line = next) {
        next = line_end(line, end);
        if (next == NULL) {
            return "a header line has a character that is not allowed";
        }
        if (count == HEAD_HEADERS_MAX) {
            return "too many headers";
        }
        fault = split_header(line, &headers[count++]);
    }
    request->headers = headers;
    request->header_count = count;
    return fault;
}
