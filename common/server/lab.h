/*
 * What the lab's own pages know of the server that they belong to.
 */
#ifndef LAB_SERVER_LAB_H
#define LAB_SERVER_LAB_H

#include <stdatomic.h>

#include "probe/http/route.h"
#include "runtime/context.h"
#include "server/settings.h"

/* A site's `owner` is its lab: see lab_of. */
struct lab {
    const struct server_settings *settings;
    struct context running; /* ends when the server is to stop */
    struct site site;
    atomic_ulong requests_total;
    atomic_ulong *calls; /* of each scenario, by scenario_index */
};

struct lab *lab_of(const struct request *request);

/* Fills in the lab and its site. Returns 0 or -ENOMEM. */
int lab_init(struct lab *lab, const struct server_settings *settings);

void lab_finish(struct lab *lab);

/* The route of a path, among the lab's own and the probe's; NULL if there is none. What
 * makes a scenario run is on the main port only. */
const struct route *lab_route_find(const char *path, bool debug_port);

/* 404: there is no such route on this port. */
void lab_refuse_route(const struct request *request, bool debug_port,
                      struct reply *reply);

/* The lab's pages; each file of that name has its own. */
page leak_page_combined; /* /leak */
page leak_page_scenario; /* /leak/<name> */
page catalogue_page;     /* /scenarios */
page status_page;        /* /status */

#endif
