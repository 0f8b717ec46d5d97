/*
 * What the lab's own pages know of the server that they belong to.
 */
#ifndef LAB_SERVER_LAB_H
#define LAB_SERVER_LAB_H

#include <stdatomic.h>

#include "probe/http/request.h"
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

#endif
