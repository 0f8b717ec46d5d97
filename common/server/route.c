/*
 * The table of routes.
 */
#include <stdio.h>
#include <string.h>

#include "server/reply.h"
#include "server/server_private.h"

#define READ (METHOD_GET | METHOD_HEAD)

static const struct route routes[] = {
    {"/healthz", READ, false, status_health},
    {"/status", READ, false, status_report},
    {"/scenarios", READ, false, catalogue_report},
    {"/leak", METHOD_GET | METHOD_POST, true, lab_leak},
    {"/leak/*", METHOD_GET | METHOD_POST, true, lab_scenario},
    {"/debug/pprof/", READ, false, profiles_index},
    {"/debug/pprof", READ, false, profiles_index},
    {"/debug/pprof/heap", READ, false, profiles_heap},
    {"/debug/pprof/allocs", READ, false, profiles_allocs},
    {"/debug/pprof/goroutine", READ, false, profiles_goroutine},
    {"/debug/pprof/threads", READ, false, profiles_threads},
    {"/debug/pprof/symbol", READ | METHOD_POST, false, profiles_symbol},
    {"/debug/pprof/cmdline", READ, false, profiles_cmdline},
    {"/pprof/symbol", READ | METHOD_POST, false, profiles_symbol},
    {"/pprof/cmdline", READ, false, profiles_cmdline},
    {"/pprof/heap", READ, false, profiles_heap_text},
    {"/debug/heap/dump", METHOD_POST, false, profiles_dump},
};

static bool route_matches(const struct route *route, const struct request *request)
{
    if (route->main_port_only && request->debug_port) {
        return false;
    }
    size_t length = strlen(route->path);
    if (route->path[length - 1] == '*') {
        return strncmp(request->path, route->path, length - 1) == 0;
    }
    return strcmp(request->path, route->path) == 0;
}

void route_request(struct request *request)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        const struct route *route = &routes[i];
        if (!route_matches(route, request)) {
            continue;
        }
        if ((route->methods & request->method) == 0) {
            reply_method_not_allowed(request, route->methods);
            return;
        }
        route->handle(request);
        return;
    }
    reply_error(
        request, 404, "unknown_route",
        request->debug_port
            ? "/status, /scenarios, /healthz and /debug/pprof/ are here; /leak is "
              "on the main port"
            : "try /scenarios, /status, /leak?id=x or /debug/pprof/",
        "no route '%.200s'", request->path);
}
