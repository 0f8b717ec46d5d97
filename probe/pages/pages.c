/*
 * The routes of the probe's pages, one line each.
 */
#include "probe/pages/pages.h"

#include "probe/web/live.h"

static const struct route routes[] = {
    {"/", ROUTE_READS, false, probe_page_live},
    {"/page/*", ROUTE_READS, false, probe_page_live_files},
    {"/status", ROUTE_READS, false, probe_page_status},
    {"/metrics", ROUTE_READS, false, probe_page_metrics},
    {"/healthz", ROUTE_READS, false, probe_page_health},
    {"/debug/pprof/", ROUTE_READS, false, probe_page_index},
    {"/debug/pprof", ROUTE_READS, false, probe_page_index},
    {"/debug/pprof/heap", ROUTE_READS, false, probe_page_heap},
    {"/debug/pprof/allocs", ROUTE_READS, false, probe_page_allocs},
    {"/debug/pprof/goroutine", ROUTE_READS, false, probe_page_goroutine},
    {"/debug/pprof/threads", ROUTE_READS, false, probe_page_threads},
    {"/debug/pprof/lost", ROUTE_READS, false, probe_page_lost},
    {"/debug/pprof/retained", ROUTE_READS, false, probe_page_retained},
    {"/debug/pprof/fds", ROUTE_READS, false, probe_page_fds},
    {"/debug/pprof/threadcreate", ROUTE_READS, false, probe_page_threadcreate},
    {"/debug/pprof/timers", ROUTE_READS, false, probe_page_timers},
    {"/debug/pprof/mmaps", ROUTE_READS, false, probe_page_mmaps},
    {"/debug/pprof/children", ROUTE_READS, false, probe_page_children},
    {"/debug/pprof/goroutineleak", ROUTE_READS, false, probe_page_goroutineleak},
    {"/debug/locks", ROUTE_READS, false, probe_page_locks},
    {"/debug/pprof/trace", ROUTE_READS, false, probe_page_trace},
    {"/debug/pprof/symbol", ROUTE_READS | METHOD_POST, false, probe_page_symbol},
    {"/debug/pprof/cmdline", ROUTE_READS, false, probe_page_cmdline},
    {"/pprof/symbol", ROUTE_READS | METHOD_POST, false, probe_page_symbol},
    {"/pprof/cmdline", ROUTE_READS, false, probe_page_cmdline},
    {"/pprof/heap", ROUTE_READS, false, probe_page_heap_text},
    {"/debug/heap/dump", METHOD_POST, true, probe_page_heap_dump},
};

const struct route *probe_pages_find(const char *path)
{
    return probe_route_find(routes, sizeof(routes) / sizeof(routes[0]), path);
}

const char *probe_pages_nearest(const char *path, const char *nearest)
{
    return probe_route_nearest(routes, sizeof(routes) / sizeof(routes[0]), path,
                               nearest);
}
