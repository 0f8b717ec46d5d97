/*
 * The server's own data, which the lab's pages use besides the request: settings, stop,
 * counters.
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
    struct context running; /* ends when the server stops */
    struct site site;
    atomic_ulong requests_total;
    atomic_ulong *calls; /* calls of each scenario, by scenario_index */
};

/* The lab that a request belongs to. */
struct lab *lab_of(const struct request *request);

/* Fills in the lab and its site. `settings` must outlive it. Returns 0 or -ENOMEM;
 * after 0 the caller calls lab_finish. */
int lab_init(struct lab *lab, const struct server_settings *settings);

void lab_finish(struct lab *lab);

#endif
