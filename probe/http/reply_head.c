#include "probe/http/reply_head.h"

#include <stdio.h>

static const char *reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {400, "Bad Request"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return status < 400 ? "OK" : "Error";
}

size_t probe_reply_head(const struct reply *reply, char *text, size_t size)
{
    const char *reader = reply->reader;
    int length = snprintf(
        text, size,
        "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n%s%s%s%s%s\r\n",
        reply->status, reason(reply->status), reply->type, reply->bytes, reply->headers,
        reader == NULL ? "" : "Access-Control-Allow-Origin: ",
        reader == NULL ? "" : reader, reader == NULL ? "" : "\r\n",
        reply->closes ? "Connection: close\r\n" : "");
    return length > 0 && (size_t)length < size ? (size_t)length : 0;
}
