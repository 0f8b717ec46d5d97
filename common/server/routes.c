/*
 * The lab's routes, one line each. The probe's own list is searched before them.
 */
#include "server/routes.h"

#include "probe/pages/pages.h"
#include "server/catalogue.h"
#include "server/leak.h"
#include "server/status.h"

static const struct route main_routes[] = {
    {"/leak", METHOD_GET | METHOD_POST, true, leak_page_combined},
    {"/leak/*", METHOD_GET | METHOD_POST, true, leak_page_scenario},
};

static const struct route both_routes[] = {
    {"/status", ROUTE_READS, false, status_page},
    {"/scenarios", ROUTE_READS, false, catalogue_page},
};

const struct route *routes_find(const char *path, bool debug_port)
{
    const struct route *route = probe_pages_find(path);
    if (route == NULL) {
        route = probe_route_find(both_routes,
                                 sizeof(both_routes) / sizeof(both_routes[0]), path);
    }
    if (route == NULL && !debug_port) {
        route = probe_route_find(main_routes,
                                 sizeof(main_routes) / sizeof(main_routes[0]), path);
    }
    return route;
}

void routes_refuse(const struct request *request, bool debug_port, struct reply *reply)
{
    probe_reply_error(
        reply, 404, "unknown_route",
        debug_port ? "/status, /scenarios, /healthz and /debug/pprof/ are here; /leak "
                     "is on the main port"
                   : "try /scenarios, /status, /leak?id=x or /debug/pprof/",
        "no route '%.200s'", request->path);
}
