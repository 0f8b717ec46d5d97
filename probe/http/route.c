/*
 * There are some twenty routes, so a linear search is fast enough.
 */
#include "probe/http/route.h"

#include <stdio.h>
#include <string.h>

#include "base/distance.h"

#define EDITS_MOST 2 /* a path that differs more was not meant */

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

const char *probe_route_nearest(const struct route *routes, size_t count,
                                const char *path, const char *nearest)
{
    /* Of a path of two or three characters, too much would be other ones. */
    size_t half = strlen(path) / 2;
    size_t least = nearest != NULL     ? text_distance(path, nearest)
                   : half > EDITS_MOST ? EDITS_MOST + 1
                                       : half;
    for (size_t i = 0; i < count; i++) {
        size_t distance = text_distance(path, routes[i].path);
        if (distance < least && strchr(routes[i].path, '*') == NULL) {
            nearest = routes[i].path;
            least = distance;
        }
    }
    return nearest;
}

void probe_route_hint(char *ret_hint, size_t size, const char *here,
                      const char *nearest)
{
    if (nearest == NULL) {
        snprintf(ret_hint, size, "%s", here);
    } else {
        snprintf(ret_hint, size, "%s; did you mean '%s'?", here, nearest);
    }
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
