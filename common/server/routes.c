/*
 * The lab's routes, one line each. They are searched before the probe's own list,
 * because the lab's page takes the place of the probe's on the main port.
 */
#include "server/routes.h"

#include "probe/pages/pages.h"
#include "server/catalogue.h"
#include "server/lab_page.h"
#include "server/leak.h"
#include "server/metrics.h"
#include "server/status.h"

static const struct route main_routes[] = {
    {"/", ROUTE_READS, false, lab_page},
    {"/leak", METHOD_GET | METHOD_POST, true, leak_page_combined},
    {"/leak/*", METHOD_GET | METHOD_POST, true, leak_page_scenario},
};

static const struct route both_routes[] = {
    {"/status", ROUTE_READS, false, status_page},
    {"/metrics", ROUTE_READS, false, metrics_page},
    {"/scenarios", ROUTE_READS, false, catalogue_page},
    {"/page/lab/setup", ROUTE_READS, false, lab_page_setup},
    {"/page/lab/lesson/*", ROUTE_READS, false, lab_page_lesson},
    {"/page/lab/*", ROUTE_READS, false, lab_page_files},
};

#define FIND(routes, path)                                                             \
    probe_route_find(routes, sizeof(routes) / sizeof((routes)[0]), path)

#define NEAREST(routes, path, nearest)                                                 \
    probe_route_nearest(routes, sizeof(routes) / sizeof((routes)[0]), path, nearest)

const struct route *routes_find(const char *path, bool debug_port)
{
    const struct route *route = debug_port ? NULL : FIND(main_routes, path);
    if (route == NULL) {
        route = FIND(both_routes, path);
    }
    return route != NULL ? route : probe_pages_find(path);
}

void routes_refuse(const struct request *request, bool debug_port, struct reply *reply)
{
    char hint[200];
    const char *nearest = debug_port ? NULL : NEAREST(main_routes, request->path, NULL);
    nearest = NEAREST(both_routes, request->path, nearest);
    probe_route_hint(
        hint, sizeof(hint),
        debug_port ? "/status, /metrics, /scenarios, /healthz and /debug/pprof/ are "
                     "here; /leak is on the main port"
                   : "try /scenarios, /status, /metrics, /leak?id=x or /debug/pprof/",
        probe_pages_nearest(request->path, nearest));
    probe_reply_error(reply, 404, "unknown_route", hint, "no route '%.200s'",
                      request->path);
}
