/*
 * The lab as a site, and its routes.
 */
#include "server/lab.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/pages/pages.h"
#include "scenario.h"
#include "server/hints.h"
#include "variant.h"

static const struct route main_routes[] = {
    {"/leak", METHOD_GET | METHOD_POST, true, leak_page_combined},
    {"/leak/*", METHOD_GET | METHOD_POST, true, leak_page_scenario},
};

static const struct route both_routes[] = {
    {"/status", ROUTE_READS, false, status_page},
    {"/scenarios", ROUTE_READS, false, catalogue_page},
};

const struct route *lab_route_find(const char *path, bool debug_port)
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

void lab_refuse_route(const struct request *request, bool debug_port,
                      struct reply *reply)
{
    probe_reply_error(
        reply, 404, "unknown_route",
        debug_port ? "/status, /scenarios, /healthz and /debug/pprof/ are here; /leak "
                     "is on the main port"
                   : "try /scenarios, /status, /leak?id=x or /debug/pprof/",
        "no route '%.200s'", request->path);
}

static int lab_sleep(void *owner, unsigned ms)
{
    struct lab *lab = owner;
    return context_sleep(&lab->running, ms);
}

static char host_name[256];

static void site_init(struct lab *lab)
{
    const struct options *options = lab->settings->options;
    gethostname(host_name, sizeof(host_name) - 1);
    lab->site = (struct site){
        .name = variant.name,
        .version = LAB_VERSION,
        .started_ms = clock_now_ms(),
        .bind = options->bind,
        .expose = options->expose,
        .host_name = host_name,
        .peer = options->peer,
        .dump_directory = options->directory,
        .hints =
            {
                .memory = HINT_RESTART_OR_RAISE("--max-heap"),
                .fds = HINT_RESTART_OR_RAISE("--max-fds"),
                .mappings = HINT_RESTART "; the mappings of its threads leave no room "
                                         "for stacks, see --max-threads",
                .no_profile = "start the server with --profile exact",
                .no_build = "build without ALLOCATOR=libc",
                .dump = "see --profile-dir",
                .cross_site = "open this server's own pages, or use curl; --peer URL "
                              "allows the pages of the lab's other server",
            },
        .sleep = lab_sleep,
        .owner = lab,
    };
}

struct lab *lab_of(const struct request *request)
{
    return request->site->owner;
}

int lab_init(struct lab *lab, const struct server_settings *settings)
{
    *lab = (struct lab){.settings = settings};
    lab->calls = calloc(scenario_count, sizeof(*lab->calls));
    if (lab->calls == NULL) {
        return -ENOMEM;
    }
    site_init(lab);
    context_init(&lab->running, NULL);
    return 0;
}

void lab_finish(struct lab *lab)
{
    context_finish(&lab->running);
    free(lab->calls);
}
