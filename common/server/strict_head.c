/*
 * civetweb splits the head in place, so the bytes between the parts that it found show
 * what it skipped.
 */
#include "server/strict_head.h"

#include <stdbool.h>
#include <string.h>

/* The address after a line that ends with CR LF. civetweb writes a NUL over the CR. */
static const char *line_after(const char *line)
{
    return line + strlen(line) + 2;
}

/* Whether only blanks are between the name and the value, and no space before the
 * colon. civetweb has replaced the colon by a NUL. */
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

/* Whether the lines follow one another without a gap, up to the empty one. If not, a
 * line has no CR, or civetweb has skipped a line: it takes a header without a name for
 * the end, and misses a Content-Length after it. */
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
    /* civetweb overwrites the LF of the empty line; without any header, the CR too. */
    bool empty = next[0] == '\r' || (info->num_headers == 0 && next[0] == '\0');
    return empty && next[1] == '\0';
}

/* civetweb decodes the path in place, too. If it became shorter, something was
 * percent-encoded, perhaps a NUL that hides the rest. */
static bool path_is_whole(const struct mg_request_info *info)
{
    const char *path = info->local_uri_raw;
    const char *end = info->query_string != NULL
                          ? info->query_string - 1
                          : info->http_version - strlen(" HTTP/");
    return path != NULL && path + strlen(path) == end;
}

const char *strict_head_fault(const struct mg_request_info *info)
{
    if (info->num_headers >= MG_MAX_HEADERS) {
        return "too many headers"; /* civetweb silently drops further headers */
    }
    if (!head_is_strict(info)) {
        return "a header line is not well formed";
    }
    if (!path_is_whole(info)) {
        return "the path must be plain: no path here needs percent-encoding";
    }
    return NULL;
}
