/*
 * What the modules of common/server share and nobody else sees.
 */
#ifndef LAB_SERVER_SERVER_PRIVATE_H
#define LAB_SERVER_SERVER_PRIVATE_H

#include <civetweb.h>
#include <cjson/cJSON.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "runtime/context.h"
#include "scenario.h"
#include "server/connections.h"
#include "server/request.h"
#include "server/server.h"

/* One of the two ports. */
struct listener {
    struct server *server;
    struct mg_context *civetweb; /* NULL: not listening */
    atomic_int port;  /* requests come before mg_start returns and it is known */
    struct crew crew; /* its workers */
};

struct server {
    const struct server_settings *settings;
    struct context running; /* ends when the server is to stop */
    struct connections connections;
    struct listener main;
    struct listener debug;
    char host_name[256];
    struct timespec started; /* CLOCK_MONOTONIC */
    atomic_ulong requests_total;
    atomic_ulong *calls; /* of each scenario, by scenario_index */
};

/* How long ago `start` was, by CLOCK_MONOTONIC. */
double server_milliseconds_since(const struct timespec *start);

/* A route: a path, the methods it takes, and who answers. */
struct route {
    const char *path; /* with a '*' at its end: every path that begins so */
    unsigned methods; /* OR of enum request_method */
    bool main_port_only;
    void (*handle)(struct request *request);
};

/* Sends the request to the handler of its route, or answers 404 or 405. */
void route_request(struct request *request);

/* Handlers, by module. lab.c: */
void lab_leak(struct request *request);     /* /leak */
void lab_scenario(struct request *request); /* /leak/<name> */

/* The bounds of what /leak takes. */
#define LEAK_COUNT_MAX 10000
#define LEAK_HOLD_MAX_MS 10000
#define LEAK_HOLD_ALL_MAX_MS 60000 /* what its calls may hold together */
#define LEAK_TIME_MAX_MS 90000     /* after that, a request begins no further call */
#define LEAK_ID_DEFAULT "anonymous"

/* Adds to `json` what `count` calls of main size `bytes` come to. */
void lab_add_amounts(cJSON *json, const struct scenario_amount *amount, size_t bytes,
                     unsigned count);

/* catalogue.c: */
void catalogue_report(struct request *request); /* /scenarios */

/* status.c: */
void status_report(struct request *request); /* /status */
void status_health(struct request *request); /* /healthz */

/* profiles_page.c: */
void profiles_index(struct request *request); /* /debug/pprof/ */

/* profiles.c: */
void profiles_heap(struct request *request);      /* /debug/pprof/heap */
void profiles_allocs(struct request *request);    /* /debug/pprof/allocs */
void profiles_heap_text(struct request *request); /* /pprof/heap */
void profiles_goroutine(struct request *request); /* /debug/pprof/goroutine */
void profiles_threads(struct request *request);   /* /debug/pprof/threads */
void profiles_symbol(struct request *request);    /* /debug/pprof/symbol */
void profiles_cmdline(struct request *request);   /* /debug/pprof/cmdline */
void profiles_dump(struct request *request);      /* /debug/heap/dump */

#endif
