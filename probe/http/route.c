/*
 * There are some twenty routes, so a linear search is fast enough.
 */
#include "probe/http/route.h"

#include <string.h>

static bool matches(const struct route *route, const char *path)
{
    size_t length = strlen(route->path);
    if (route->path[length - 1] == '*') {
        return strncmp(path, route->path, length - 1) == 0;
    }
    return strcmp(path, route->path) == 0;
}

const struct route *probe_route_find(const struct route *routes, size_t count,
                                     const char *path)
{
    for (size_t i = 0; i < count; i++) {
        if (matches(&routes[i], path)) {
            return &routes[i];
        }
    }
    return NULL;
}

void probe_route_answer(const struct route *route, const struct request *request,
                        struct reply *reply)
{
    if ((route->methods & request->method) == 0) {
        probe_reply_wrong_method(reply, route->methods);
        return;
    }
    route->page(request, reply);
}
