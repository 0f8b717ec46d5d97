/*
 * Fuzzes how the listener reads a request's head, and the checks and parameters after
 * it. Bytes that come one by one must be read as those that come at once, and what is
 * taken for a request must be one that any other program reads in the same way.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probe/http/check.h"
#include "probe/http/form.h"
#include "probe/http/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct site site = {
    .name = "fuzz",
    .bind = "127.0.0.1",
    .host_name = "",
    .hints = {.memory = "", .cross_site = ""},
};

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* The head's length, found as if each byte came by itself. */
static long find_byte_by_byte(const char *bytes, size_t size)
{
    size_t scanned = 0;
    long length = 0;
    for (size_t i = 1; i <= size && length == 0; i++) {
        length = probe_head_find(bytes, i, &scanned);
    }
    return length;
}

/* Whether a text lies within the head, and has no byte that ends a line. */
static void require_text(const char *text, const char *head, size_t length)
{
    require(text[0] == '\0' || (text >= head && text < head + length));
    require(strpbrk(text, "\r\n") == NULL);
}

static void require_plain(const struct request *request, const char *head,
                          size_t length)
{
    require(request->path[0] == '/' && strpbrk(request->path, " %?\t") == NULL);
    require(strcmp(request->version, "1.1") == 0 ||
            strcmp(request->version, "1.0") == 0);
    require_text(request->target, head, length);
    require_text(request->query, head, length);
    for (size_t i = 0; i < request->header_count; i++) {
        const struct request_header *header = &request->headers[i];
        require_text(header->name, head, length);
        require_text(header->value, head, length);
        require(header->name[0] != '\0' && strpbrk(header->name, " \t:") == NULL);
    }
}

/* What the pages do with a request. None of it may fail. */
static void check_all(const struct request *request)
{
    struct reply reply;
    struct parameter parameters[] = {
        {.name = "seconds", .type = PARAMETER_NUMBER, .minimum = 1, .maximum = 60},
        {.name = "reason", .type = PARAMETER_TEXT},
    };
    probe_reply_init(&reply, request);
    if (probe_check_framing(request, &reply) && probe_check_host(request, &reply) &&
        probe_check_site(request, true, &reply)) {
        probe_form_read(request, parameters, 2, &reply);
    }
    require(reply.status == 0 || reply.status == 400 || reply.status == 403);
    probe_reply_release(&reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t scanned = 0;
    char *bytes = malloc(size + 1);
    if (bytes == NULL) {
        return 0;
    }
    memcpy(bytes, data, size);
    bytes[size] = 'x'; /* what lies behind is not the head's */
    long length = probe_head_find(bytes, size, &scanned);
    require(length <= (long)size && length == find_byte_by_byte(bytes, size));
    if (length > 0) {
        struct request request = {.site = &site};
        struct request_header headers[HEAD_HEADERS_MAX];
        if (probe_head_split(bytes, (size_t)length, headers, &request) == NULL) {
            require_plain(&request, bytes, (size_t)length);
            check_all(&request);
        }
    }
    free(bytes);
    return 0;
}
