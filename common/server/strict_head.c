/*
 * Reading civetweb's buffer, see strict_head.h.
 */
#include "server/strict_head.h"

#include <stdbool.h>
#include <string.h>

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

/* civetweb decodes the path where it lies, too: if it became shorter, something in it
 * was percent-encoded, perhaps a NUL that hides the rest. */
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
        return "too many headers"; /* civetweb drops what is beyond without a word */
    }
    if (!head_is_strict(info)) {
        return "a header line is not well formed";
    }
    if (!path_is_whole(info)) {
        return "the path must be plain: no path here needs percent-encoding";
    }
    return NULL;
}
